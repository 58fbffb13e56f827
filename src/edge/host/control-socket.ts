// Asks the daemon through the loader's control socket: one JSON line there, one back.
import { connect } from 'node:net';

/** Sends a request and resolves to the answer's line; throws after `timeoutMs` or without a daemon. */
export function askControl(path: string, request: unknown, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let seen = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer on ${path} within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('data', (bytes: Uint8Array) => {
      seen += new TextDecoder().decode(bytes);
      const end = seen.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(seen.slice(0, end));
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${path} closed without an answer`));
    });
  });
}
