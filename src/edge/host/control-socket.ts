// Asks the daemon through the loader's control socket: one JSON line there, one back.
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Nobody tells when a crowded socket has room, or a loader that was replaced listens again. */
const PAUSE_MS = 50;
const MAY_PASS = ['EAGAIN', 'EPIPE', 'ECONNRESET', 'ENDED'];

class Ended extends Error {
  readonly code = 'ENDED';
}

/** Sends a request and resolves to the answer's line; throws after `timeoutMs` or without a daemon. */
export async function askControl(
  path: string,
  request: unknown,
  timeoutMs: number,
): Promise<string> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new Error(`no answer on ${path} within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    for (;;) {
      try {
        return await askOnce(path, request, late.signal);
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        if (!MAY_PASS.includes(code)) throw error;
        await pause(PAUSE_MS);
        if (late.signal.aborted) throw error;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function askOnce(path: string, request: unknown, late: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let seen = '';
    const giveUp = () => {
      socket.destroy();
      reject(late.reason);
    };
    late.addEventListener('abort', giveUp, { once: true });
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (bytes: Uint8Array) => {
      seen += new TextDecoder().decode(bytes);
      const end = seen.indexOf('\n');
      if (end < 0) return;
      socket.destroy();
      resolve(seen.slice(0, end));
    });
    socket.on('error', reject);
    socket.on('close', () => {
      late.removeEventListener('abort', giveUp);
      reject(new Ended(`${path} closed without an answer`));
    });
  });
}
