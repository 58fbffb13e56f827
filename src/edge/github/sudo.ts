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
