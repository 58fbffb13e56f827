// Seals without end are bounded, and each is answered by one that was written after it was asked for.
import { expect, test } from 'vitest';
import { Seals } from '../../src/daemon/seals.ts';

/** Seals whose clock moves only when one waits; each write answers its number. */
function aWorld() {
  const world = { nowMs: 0, written: 0, askedWhenWritten: [] as number[] };
  const seals = new Seals({
    write: () => {
      world.askedWhenWritten.push(seals.asked);
      return Promise.resolve(++world.written);
    },
    nowMs: () => world.nowMs,
    after: (ms) => {
      world.nowMs += ms;
      return Promise.resolve();
    },
  });
  return { world, seals };
}

test('one is written at once', async () => {
  const { world, seals } = aWorld();
  expect(await seals.seal()).toBe(1);
  expect(world.nowMs).toBe(0);
});

test('a few at once, then one a second', async () => {
  const { world, seals } = aWorld();
  for (let round = 0; round < 8; round++) await seals.seal();
  expect(world).toMatchObject({ nowMs: 0, written: 8 });
  for (let round = 0; round < 10; round++) await seals.seal();
  expect(world).toMatchObject({ nowMs: 10_000, written: 18 });
  world.nowMs += 60_000;
  for (let round = 0; round < 8; round++) await seals.seal();
  expect(world.nowMs).toBe(70_000);
});

test('those asked for before one begins are one; those after are told by the next', async () => {
  const { world, seals } = aWorld();
  const first = Array.from({ length: 1000 }, () => seals.seal());
  expect(new Set(await Promise.all(first))).toEqual(new Set([1]));
  expect(world.askedWhenWritten).toEqual([1000]);
  expect(seals.asked).toBe(1000);
});

test('one that is asked for while another is written is not answered by that', async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  let written = 0;
  const seals = new Seals({
    write: async () => {
      const number = ++written;
      begun.resolve();
      await go.promise;
      return number;
    },
    nowMs: () => 0,
    after: () => Promise.resolve(),
  });
  const first = seals.seal();
  await begun.promise;
  const second = seals.seal();
  go.resolve();
  expect(await first).toBe(1);
  expect(await second).toBe(2);
});

test('one that fails is told, and the next is written', async () => {
  let fails = true;
  const seals = new Seals({
    write: () => (fails ? Promise.reject(new Error('no')) : Promise.resolve('yes')),
    nowMs: () => 0,
    after: () => Promise.resolve(),
  });
  await expect(seals.seal()).rejects.toThrow('no');
  fails = false;
  expect(await seals.seal()).toBe('yes');
});
