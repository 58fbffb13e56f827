import { expect, test } from 'vitest';
import { nearest } from '../../../src/core/policy/nearest.ts';

const KEYS = ['host', 'cidr', 'ports', 'action'];

test.each([
  ['hots', 'host'],
  ['port', 'ports'],
  ['actoin', 'action'],
])('%s may mean %s', (word, meant) => {
  expect(nearest(word, KEYS)).toBe(meant);
});

test.each(['protocol-and-more', 'xyzt', ''])('"%s" means nothing we know', (word) => {
  expect(nearest(word, KEYS)).toBeUndefined();
});
