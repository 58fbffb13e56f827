import { expect, test } from 'vitest';
import { ForwardRounds } from '../../src/daemon/forward-rounds.ts';

function rounds(count: number) {
  const asked: string[] = [];
  let now = 0;
  const clock = {
    nowMs: () => now,
    after: (ms: number) => {
      now += ms;
      return Promise.resolve();
    },
  };
  const names = () => Array.from({ length: count }, (_, index) => `${index}.example`);
  const perSecond = new Map<number, number>();
  const look = (name: string) => {
    asked.push(name);
    perSecond.set(now, (perSecond.get(now) ?? 0) + 1);
    return name.startsWith('1') ? Promise.reject(new Error('no')) : Promise.resolve();
  };
  const made = new ForwardRounds({ names, look, clock });
  const pass = (ms: number) => {
    now += ms;
  };
  return { asked, perSecond, made, pass };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('asks 200 names at most, 50 a second, and counts the rest; failures are no errors', async () => {
  const { asked, perSecond, made } = rounds(230);
  made.start();
  await settle();
  expect(asked).toHaveLength(200);
  expect([...perSecond.values()]).toEqual([50, 50, 50, 50]);
  expect(made.skipped).toBe(30);
});

test('a round is not started within 30 s of another', async () => {
  const { asked, made, pass } = rounds(1);
  made.start();
  pass(29_999);
  made.start();
  expect(asked).toHaveLength(1);
  pass(1);
  made.start();
  await settle();
  expect(asked).toHaveLength(2);
});
