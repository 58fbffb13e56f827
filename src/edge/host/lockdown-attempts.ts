// What main tries against a sudo lockdown, and whether a command may be allowed at all.
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { equalsRoot } from '../../core/policy/lockdown.ts';

const TIMEOUT_MS = 2000;

/** Connects to a UNIX socket: `connected` or an errno name. */
export function tryConnectSocket(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: TIMEOUT_MS });
    const end = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on('connect', () => end('connected'));
    socket.on('timeout', () => end('no answer'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Why a command's file can't be trusted to stay what it is; undefined when root alone can change it. */
export function faultOfCommand(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return `${path} is no file`;
    const file = realpathSync(path);
    const reason = equalsRoot(file);
    if (reason !== undefined) return `${path} is ${file}: ${reason}`;
    for (let at = file; ; at = dirname(at)) {
      const { uid, mode } = lstatSync(at);
      if (uid !== 0) return `${at} does not belong to root`;
      if ((mode & 0o022) !== 0) return `${at} can be written by others than root`;
      if (at === '/') return undefined;
    }
  } catch {
    return `${path} does not exist`;
  }
}
