// The main step: hand the session to the loader, prove the wall, remember. Everything that can be
// wrong with the inputs has been said before; from here on the loader undoes what it did.
import type { SessionSettings } from '../core/wire/session.ts';
import type { Attempts, Loader, LockdownAttempts, Log } from './ports.ts';
import { type ProofNames, proofLine, tryProof } from './prove.ts';
import { tryLockdown } from './prove-lockdown.ts';

/** A start that ended well. */
export interface Green {
  readonly kind: 'green';
  readonly pid: number;
  readonly auditLog: string;
}

/** A lockdown that is to be proved: the commands that stay allowed. */
export interface LockdownToProve {
  readonly commands: readonly string[];
  readonly attempts: LockdownAttempts;
}

/** What a failed start has left: nothing, or nobody can say. */
export type Remains = 'none' | 'unknown';

/** A start that did not. */
export interface NotStarted {
  readonly kind: 'failed';
  /** What happened, to what, what to do. */
  readonly message: string;
  readonly remains: Remains;
  /** The kernel lacks something and nothing is left of the start: `on-unsupported` decides. */
  readonly unsupported: boolean;
}

// The loader's exit codes (bpf/loader/session.h); sudo, which runs it, has 1.
const EXIT_UNSUPPORTED = 3;
const BEFORE_ANY_CHANGE = [1, 2, 4, 5];

interface StatusLine {
  readonly stage?: string;
  readonly proof?: ProofNames;
  readonly pid?: number;
  readonly auditLog?: string;
  readonly text?: string;
  readonly hooks?: string;
  /** What becomes of a packet, XDP or vsock socket of the job. */
  readonly families?: string;
  readonly wall?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly remedy: string };
}

function parseStatus(line: string): StatusLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What is known when the loader's lines end. */
interface Heard {
  green: StatusLine | undefined;
  errors: string[];
  /** The loader has looked: nothing of the start is left. */
  undone: boolean;
}

/** Tries everything and says it; the line for the daemon. */
async function prove(
  names: ProofNames,
  attempts: Attempts,
  lockdown: LockdownToProve | undefined,
  log: Log,
): Promise<string> {
  const tried = [...(await tryProof(names, attempts))];
  if (lockdown !== undefined) {
    tried.push(...(await tryLockdown(lockdown.commands, lockdown.attempts)));
  }
  const lines = tried.map(({ what, outcome, expected }) =>
    outcome === expected ? `${what}: ${outcome}` : `${what}: ${outcome}, expected ${expected}`,
  );
  log.group('Proof of the wall', lines);
  return proofLine(tried);
}

/** What is for the step's log alone. */
function retell(status: StatusLine, log: Log): void {
  const { stage, hooks = '', families, wall = '', text = '' } = status;
  if (stage === 'note') log.info(`debug: ${text}`);
  if (stage !== 'attached') return;
  log.group('What this kernel has taken', [
    `hooks: ${hooks}`,
    `packet, XDP and vsock sockets of the job: ${families === 'refused' ? 'refused' : 'told, not refused (limits L1 and L2)'}`,
    `wall: ${wall}`,
  ]);
}

async function hear(
  loader: Loader,
  attempts: Attempts,
  lockdown: LockdownToProve | undefined,
  log: Log,
): Promise<Heard> {
  const heard: Heard = { green: undefined, errors: [], undone: false };
  for await (const line of loader.lines) {
    const status = parseStatus(line);
    if (status?.error !== undefined) {
      heard.errors.push(`${status.error.message}. ${status.error.remedy}`);
    }
    if (status?.stage === 'flipped' && status.proof !== undefined) {
      loader.write(await prove(status.proof, attempts, lockdown, log));
    }
    if (status !== undefined) retell(status, log);
    if (status?.stage === 'undone') heard.undone = true;
    if (status?.stage === 'green') heard.green = status;
  }
  return heard;
}

/** Starts the session and waits until it is proved, or undone. */
export async function startSession(
  session: SessionSettings,
  loader: Loader,
  attempts: Attempts,
  log: Log,
  lockdown?: LockdownToProve,
): Promise<Green | NotStarted> {
  loader.write(JSON.stringify(session));
  const { green, errors, undone } = await hear(loader, attempts, lockdown, log);
  const { code, errorText } = await loader.ended;
  loader.end();
  if (code === 0 && green?.pid !== undefined && green.auditLog !== undefined) {
    return { kind: 'green', pid: green.pid, auditLog: green.auditLog };
  }
  const words = [...errors, errorText].filter((text) => text !== '').join('; ');
  const isClean = undone || BEFORE_ANY_CHANGE.includes(code);
  return {
    kind: 'failed',
    message: words === '' ? `the loader ended with code ${code} and no word` : words,
    remains: isClean ? 'none' : 'unknown',
    unsupported: isClean && code === EXIT_UNSUPPORTED,
  };
}
