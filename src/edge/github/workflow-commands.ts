// Log, outputs, state and summary over @actions/core.
import * as core from '@actions/core';
import { consoleLine } from '../../core/report/sanitise.ts';

/** The step's log; whatever it is given becomes one line that is no command. */
export const log = {
  info: (message: string): void => core.info(consoleLine(message)),
  warning: (message: string): void => core.warning(consoleLine(message)),
  /** An error annotation; the step goes on. */
  error: (message: string): void => core.error(consoleLine(message)),
  /** Lines under a fold. */
  group(title: string, lines: readonly string[]): void {
    core.startGroup(consoleLine(title));
    for (const line of lines) core.info(consoleLine(line));
    core.endGroup();
  },
  /** Fails the step. */
  fail: (message: string): void => core.setFailed(consoleLine(message)),
  notice: (message: string): void => core.notice(consoleLine(message)),
};

/** Keeps a text out of every log of the job. */
export function maskSecret(text: string): void {
  if (text !== '') core.setSecret(text);
}

/** Outputs of the step. */
export const outputs = {
  set: (name: string, value: string): void => core.setOutput(name, value),
};

/** State from main to post. */
export const state = {
  save: (name: string, value: string): void => core.saveState(name, value),
  get: (name: string): string => core.getState(name),
};

/** Appends to the job summary; throws when the runner takes none. */
export async function writeSummary(markdown: string): Promise<void> {
  await core.summary.addRaw(markdown).write();
}
