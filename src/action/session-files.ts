// Every path and name of a session that main and post share.

/** Where the loader keeps the log. */
export const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
/** Where the daemon can be asked. */
export const CONTROL_SOCKET = '/run/cargowall/control.sock';

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
}

/** Reads what main left; undefined when there was no start or it is not readable. */
export function parseSavedSession(text: string): SavedSession | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as SavedSession;
  } catch {
    return undefined;
  }
}

/** Names of the artifact's files. */
export const FILES = { log: 'audit.jsonl', summary: 'summary.md', meta: 'meta.json' } as const;
