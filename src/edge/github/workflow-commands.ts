// Log, outputs, state and summary over @actions/core.
import * as core from '@actions/core';

/** The step's log. */
export const log = {
  info: (message: string): void => core.info(message),
  warning: (message: string): void => core.warning(message),
  /** An error annotation; the step goes on. */
  error: (message: string): void => core.error(message),
  /** Lines under a fold. */
  group(title: string, lines: readonly string[]): void {
    core.startGroup(title);
    for (const line of lines) core.info(line);
    core.endGroup();
  },
  /** Fails the step. */
  fail: (message: string): void => core.setFailed(message),
  notice: (message: string): void => core.notice(message),
};

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
