import { expect, test } from 'vitest';
import { RecentlyUsed } from '../../src/core/recently-used.ts';

function value(name: string) {
  return { name, used: 0 };
}

test('what was used longest ago makes room', () => {
  const forgotten: string[] = [];
  const recent = new RecentlyUsed<string, ReturnType<typeof value>>(3, ({ name }) =>
    forgotten.push(name),
  );
  for (const name of ['a', 'b', 'c']) recent.set(name, value(name));
  recent.use('a');
  recent.get('b');
  recent.set('d', value('d'));
  expect(forgotten).toEqual(['b']);
  expect(recent.latestFirst().map(({ name }) => name)).toEqual(['d', 'a', 'c']);
});

test('a full one lets a sixteenth go, the oldest, and keeps its limit', () => {
  let forgotten = 0;
  const recent = new RecentlyUsed<number, ReturnType<typeof value>>(64, () => {
    forgotten++;
  });
  for (let key = 0; key < 1000; key++) {
    recent.set(key, value(`${key}`));
    expect(recent.size).toBeLessThanOrEqual(64);
  }
  expect(recent.size + forgotten).toBe(1000);
  expect(recent.size).toBeGreaterThanOrEqual(60);
  for (let key = 940; key < 1000; key++) expect(recent.get(key)?.name).toBe(`${key}`);
});

test('using one key is as quick among many as among few', () => {
  const steps = (size: number) => {
    const recent = new RecentlyUsed<string, ReturnType<typeof value>>(2 * size);
    for (let key = 0; key < size; key++) recent.set(`${key}`, value(`${key}`));
    const start = performance.now();
    for (let use = 0; use < 20_000; use++) recent.use('7');
    return performance.now() - start;
  };
  steps(64);
  // A key that is moved to the end instead is over a hundred times slower among 30,000.
  expect(steps(30_000)).toBeLessThan(20 * Math.max(steps(64), 1));
});
