// Whether the runner user is root, or becomes it without a password.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { getExecOutput } from '@actions/exec';

const SUDO = '/usr/bin/sudo';
const BECOME_MS = 5000;
/** As in bpf/loader/session.h. */
const EXIT_RUNNING = 5;

/** How root is had. */
export type RootAccess =
  | 'is root'
  | 'by sudo'
  | 'sudo asks for a password'
  | 'sudo is taken by the sudo-lockdown of a job that has not ended'
  | 'no /usr/bin/sudo';

/**
 * Asks sudo, by its absolute path and without our environment; where a lockdown stands whose processes have
 * been killed, has `unlock` give sudo back first.
 */
export async function probeRootAccess(unlock: readonly [string, string]): Promise<RootAccess> {
  if (process.getuid?.() === 0) return 'is root';
  if (!existsSync(SUDO)) return 'no /usr/bin/sudo';
  const code = existsSync(unlock[0]) ? await codeOfSudo('--', ...unlock) : undefined;
  if (await sudo('--', '/bin/true')) return 'by sudo';
  return code === EXIT_RUNNING
    ? 'sudo is taken by the sudo-lockdown of a job that has not ended'
    : 'sudo asks for a password';
}

async function codeOfSudo(...words: string[]): Promise<number> {
  const options = { silent: true, ignoreReturnCode: true, env: {} };
  return (await getExecOutput(SUDO, ['-n', ...words], options)).exitCode;
}

async function sudo(...words: string[]): Promise<boolean> {
  return (await codeOfSudo(...words)) === 0;
}

/** Runs a command by sudo without a password: `ran` or `refused`. */
export async function trySudo(...words: string[]): Promise<string> {
  return (await sudo('--', ...words)) ? 'ran' : 'refused';
}

/** Asks another program for root's user id, without a password: `ran`, `refused` or `not there`. */
export function tryBecomeRoot(words: readonly string[]): Promise<string> {
  const [program = '', ...rest] = words;
  if (!existsSync(program)) return Promise.resolve('not there');
  const options = { env: {}, timeout: BECOME_MS };
  return new Promise((resolve) => {
    const child = execFile(program, [...rest, '/usr/bin/id', '-u'], options, (error, stdout) =>
      resolve(error === null && stdout.trim() === '0' ? 'ran' : 'refused'),
    );
    // Nothing is there to be read: what asks for a password gets none.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end();
  });
}

/** Asks sudo whether a command is allowed: `allowed` or `refused`. */
export async function trySudoMay(path: string): Promise<string> {
  return (await sudo('-l', '--', path)) ? 'allowed' : 'refused';
}
