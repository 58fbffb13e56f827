import { expect, test } from 'vitest';
import { Resolutions } from '../../../src/core/dns/resolutions.ts';
import { addressFromNumber } from '../../../src/core/net/address.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const ONE = addressFromNumber(0xc0000201);

function note(seen: Resolutions, name: string, atMs: number, runnerOnly = false) {
  seen.note({ name, addresses: [ONE], atMs, runnerOnly });
}

test('names of an address come latest first', () => {
  const seen = new Resolutions();
  note(seen, 'a.example', 1);
  note(seen, 'b.example', 2);
  note(seen, 'a.example', 3);
  expect(seen.namesFor(ONE, 4)).toEqual(['a.example', 'b.example']);
});

test('names are forgotten after 24 hours', () => {
  const seen = new Resolutions();
  note(seen, 'a.example', 0);
  expect(seen.namesFor(ONE, DAY_MS)).toEqual(['a.example']);
  expect(seen.namesFor(ONE, DAY_MS + 1)).toEqual([]);
  seen.sweep(DAY_MS + 1);
  expect(seen.size).toBe(0);
});

test('a name only the runner was answered is not shown to the job', () => {
  const seen = new Resolutions();
  note(seen, 'runner.example', 1, true);
  expect(seen.namesFor(ONE, 2)).toEqual([]);
  expect(seen.namesFor(ONE, 2, true)).toEqual(['runner.example']);
});

test('the least recently answered address makes room and is counted', () => {
  const seen = new Resolutions(2);
  for (const number of [1, 2, 1, 3]) {
    seen.note({
      name: 'a.example',
      addresses: [addressFromNumber(number)],
      atMs: 1,
      runnerOnly: false,
    });
  }
  expect(seen.namesFor(addressFromNumber(2), 2)).toEqual([]);
  expect(seen.namesFor(addressFromNumber(1), 2)).toEqual(['a.example']);
  expect(seen.evicted).toBe(1);
});
