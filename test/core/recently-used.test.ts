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
