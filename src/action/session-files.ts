// Every path and name of a session that main and post share.

/** Where the loader keeps the log. */
export const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
/** Where the daemon can be asked. */
export const CONTROL_SOCKET = '/run/cargowall/control.sock';

/** The one command a lockdown of an ended job leaves its user: gives sudo back (bpf/loader/unlock.c). */
export const UNLOCK = ['/run/cargowall/bin/loader', 'unlock'] as const;

/** Key of the state main leaves for post. */
export const STATE_KEY = 'session';

/** What main leaves for post. */
export interface SavedSession {
  readonly mode: 'audit' | 'enforce';
  readonly pid: number;
  readonly enforcing: boolean;
  readonly artifactName: string;
  readonly retentionDays: string;
  readonly summary: boolean;
  readonly failOnBlock: boolean;
  /** sudo-lockdown was proved. */
  readonly isLockedDown: boolean;
}

const FIELDS: Readonly<Record<keyof SavedSession, string>> = {
  mode: 'string',
  pid: 'number',
  enforcing: 'boolean',
  artifactName: 'string',
  retentionDays: 'string',
  summary: 'boolean',
  failOnBlock: 'boolean',
  isLockedDown: 'boolean',
};

function isSavedSession(value: unknown): value is SavedSession {
  if (typeof value !== 'object' || value === null) return false;
  const given = new Map(Object.entries(value));
  return Object.entries(FIELDS).every(([name, type]) => typeof given.get(name) === type);
}

/** Reads what main left; undefined when there was no start, throws when it is not readable. */
export function parseSavedSession(text: string): SavedSession | undefined {
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isSavedSession(value)) return value;
  throw new Error(
    `the state "${STATE_KEY}" of this step is not what the main step saved. The kernel goes on enforcing; the log is ${AUDIT_LOG}`,
  );
}

/** Names of the artifact's files. */
export const FILES = { log: 'audit.jsonl', summary: 'summary.md', meta: 'meta.json' } as const;
