import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askControl } from '../../../src/edge/host/control-socket.ts';

let folder = '';
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cargowall-control-'));
});
afterEach(async () => {
  const closing = server;
  server = undefined;
  if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
  rmSync(folder, { recursive: true });
});

async function serve(answer: (socket: Socket, request: string) => void): Promise<string> {
  const path = join(folder, 'control.sock');
  const made = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => answer(socket, bytes.toString()));
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(path, resolve));
  return path;
}

test('one JSON line there, one line back, in whatever pieces', async () => {
  const path = await serve((socket, request) => {
    socket.write(`{"heard":${request.trim()}`);
    setImmediate(() => socket.end('}\nmore'));
  });
  expect(await askControl(path, { command: 'seal' }, 2000)).toBe('{"heard":{"command":"seal"}}');
});

test('without a daemon: the reason', async () => {
  await expect(askControl(join(folder, 'none'), {}, 2000)).rejects.toThrow('ENOENT');
});

test('a daemon that says nothing is given up', async () => {
  const path = await serve(() => undefined);
  await expect(askControl(path, {}, 50)).rejects.toThrow('within 50 ms');
});

test('a daemon that closes is no answer', async () => {
  const path = await serve((socket) => socket.end('half a line'));
  await expect(askControl(path, {}, 200)).rejects.toThrow('closed without an answer');
});

test('one that closes, and answers later, has answered', async () => {
  let heard = 0;
  const path = await serve((socket) => socket.end(++heard < 3 ? '' : 'at last\n'));
  expect(await askControl(path, {}, 2000)).toBe('at last');
});
