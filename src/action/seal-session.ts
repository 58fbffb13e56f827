// The post step: seal, read the log, report, hand over. It never stops anything: the runner still
// uploads logs and later posts still run.
import { type DecodedLog, decodeLog } from '../core/audit/jsonl.ts';
import { aggregate, type Report } from '../core/report/aggregate.ts';
import { renderAnnotations } from '../core/report/annotations.ts';
import { renderSummary } from '../core/report/job-summary.ts';
import { sanitise } from '../core/report/sanitise.ts';
import { suggestPolicy } from '../core/report/suggest.ts';
import type { Log } from './ports.ts';
import { AUDIT_LOG, CONTROL_SOCKET, FILES, type SavedSession } from './session-files.ts';

/** What the post step needs of the world. */
export interface SealPorts {
  readonly log: Log;
  /** The daemon's answer to a request; throws without one. */
  readonly ask: (path: string, request: unknown, timeoutMs: number) => Promise<string>;
  /** The log's text; throws when it can't be read. */
  readonly readLog: (path: string) => string;
  readonly writeSummary: (markdown: string) => Promise<void>;
  /** Puts files together in a fresh folder; returns the folder. */
  readonly writeFiles: (files: ReadonlyMap<string, string>) => string;
  readonly upload: (
    name: string,
    files: readonly string[],
    folder: string,
    retentionDays: number | undefined,
  ) => Promise<unknown>;
}

const SEAL_MS = 5000;

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function seal(ports: SealPorts, problems: string[]): Promise<void> {
  try {
    const answer: unknown = JSON.parse(
      await ports.ask(CONTROL_SOCKET, { command: 'seal' }, SEAL_MS),
    );
    if (typeof answer === 'object' && answer !== null && 'sealed' in answer) return;
    problems.push(`the daemon did not seal the session: ${JSON.stringify(answer)}`);
  } catch (error) {
    problems.push(
      `the daemon did not answer (${words(error)}): the kernel goes on enforcing, and this is the log so far`,
    );
  }
}

interface ReadLog {
  /** Undefined when the log can't be read: an empty one would be a false statement. */
  readonly text: string | undefined;
  readonly log: DecodedLog;
}

function read(ports: SealPorts, problems: string[]): ReadLog {
  try {
    const text = ports.readLog(AUDIT_LOG);
    return { text, log: decodeLog(text) };
  } catch (error) {
    problems.push(`the audit log can't be read: ${words(error)}`);
    return { text: undefined, log: { records: [], badLines: [] } };
  }
}

function metaOf(saved: SavedSession, report: Report, problems: readonly string[]): string {
  const { mode, enforcing } = saved;
  const { started, ended } = report;
  const meta = {
    version: 1,
    mode,
    enforcing,
    session: started ?? null,
    totals: ended?.totals ?? null,
    lost: ended?.lost ?? null,
    problems,
  };
  return `${JSON.stringify(meta, null, 2)}\n`;
}

async function upload(
  ports: SealPorts,
  saved: SavedSession,
  files: ReadonlyMap<string, string>,
): Promise<void> {
  const folder = ports.writeFiles(files);
  if (saved.artifactName === '') return;
  const days = saved.retentionDays === '' ? undefined : Number(saved.retentionDays);
  const paths = [...files.keys()].map((name) => `${folder}/${name}`);
  try {
    await ports.upload(saved.artifactName, paths, folder, days);
  } catch (error) {
    ports.log.warning(`the artifact ${saved.artifactName} was not uploaded: ${words(error)}`);
  }
}

function blockedText(attempts: number): string {
  const times = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  return `cargowall: this job was refused ${times} that expected-blocks does not list (fail-on-block). The job summary names each: allow it, or list it in expected-blocks`;
}

/** Seals and reports; a session whose evidence is incomplete is a failed step. */
export async function sealSession(saved: SavedSession, ports: SealPorts): Promise<void> {
  const problems: string[] = [];
  await seal(ports, problems);
  const { text, log } = read(ports, problems);
  const report = aggregate(log);
  const { mode, enforcing, artifactName, isLockedDown } = saved;
  const facts = { mode, enforcing, artifactName, isLockedDown, problems };
  const markdown = renderSummary(report, facts);
  for (const line of renderAnnotations(report)) ports.log.warning(line);
  const policy = suggestPolicy(report);
  const files = new Map([
    ...(text === undefined ? [] : [[FILES.log, text] as const]),
    [FILES.summary, markdown],
    [FILES.meta, metaOf(saved, report, problems)],
    ...(policy === undefined ? [] : [['policy.suggested.yml', policy] as const]),
  ]);
  if (saved.summary) {
    await ports.writeSummary(markdown).catch((error: unknown) => {
      ports.log.warning(`the job summary was not written: ${words(error)}`);
    });
  }
  await upload(ports, saved, files);
  for (const problem of problems) ports.log.error(problem);
  const tampered = report.incidents.filter(({ kind }) => kind === 'tamper');
  for (const { reason } of tampered) ports.log.error(`cargowall: tamper: ${sanitise(reason)}`);
  if (saved.failOnBlock && report.unexpected > 0) ports.log.fail(blockedText(report.unexpected));
  if (problems.length > 0) ports.log.fail('cargowall: the evidence of this job is incomplete');
  if (tampered.length > 0) ports.log.fail('cargowall: the wall was not whole throughout this job');
}
