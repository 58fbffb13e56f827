// Whether the runner user is root, or becomes it without a password.
import { existsSync } from 'node:fs';
import { getExecOutput } from '@actions/exec';

const SUDO = '/usr/bin/sudo';

/** How root is had. */
export type RootAccess = 'is root' | 'by sudo' | 'sudo asks for a password' | 'no /usr/bin/sudo';

/** Asks sudo, by its absolute path and without our environment. */
export async function probeRootAccess(): Promise<RootAccess> {
  if (process.getuid?.() === 0) return 'is root';
  if (!existsSync(SUDO)) return 'no /usr/bin/sudo';
  const options = { silent: true, ignoreReturnCode: true, env: {} };
  const { exitCode } = await getExecOutput(SUDO, ['-n', '--', '/bin/true'], options);
  return exitCode === 0 ? 'by sudo' : 'sudo asks for a password';
}

async function sudo(...words: string[]): Promise<boolean> {
  const options = { silent: true, ignoreReturnCode: true, env: {} };
  return (await getExecOutput(SUDO, ['-n', ...words], options)).exitCode === 0;
}

/** Runs a command by sudo without a password: `ran` or `refused`. */
export async function trySudo(path: string): Promise<string> {
  return (await sudo('--', path)) ? 'ran' : 'refused';
}

/** Asks sudo whether a command is allowed: `allowed` or `refused`. */
export async function trySudoMay(path: string): Promise<string> {
  return (await sudo('-l', '--', path)) ? 'allowed' : 'refused';
}
