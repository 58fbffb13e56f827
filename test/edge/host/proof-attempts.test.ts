import { createSocket, type Socket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import { tryConnect, tryQuestion, trySend } from '../../../src/edge/host/proof-attempts.ts';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  open.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}

test('a datagram that leaves is sent, one that can not leave names its error', async () => {
  const socket = await bound();
  expect(await trySend('127.0.0.1', socket.address().port)).toBe('sent');
  expect(await trySend('255.255.255.255', 9)).toBe('EACCES');
});

test('a refused connect names its error', async () => {
  const socket = await bound();
  expect(await tryConnect('127.0.0.1', socket.address().port)).toBe('ECONNREFUSED');
});

test('an answer of another sender or to another question is none', async () => {
  const [resolver, stranger] = [await bound(), await bound()];
  resolver.on('message', (question, { port }) => {
    const [high = 0, low = 0] = question;
    stranger.send(Uint8Array.of(high, low, 1), port, '127.0.0.1', () => {
      resolver.send(Uint8Array.of(high ^ 1, low, 2), port, '127.0.0.1', () => {
        resolver.send(Uint8Array.of(high, low, 3), port, '127.0.0.1');
      });
    });
  });
  const reply = await tryQuestion('127.0.0.1', Uint8Array.of(7, 9), resolver.address().port);
  expect([...(reply ?? [])]).toEqual([7, 9, 3]);
});
