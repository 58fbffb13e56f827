import { expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import { RecentBlocks } from '../../../src/core/audit/recent-blocks.ts';
import { parseAddress } from '../../../src/core/net/address.ts';

const address = (text: string) => parseAddress(text) ?? new Uint8Array(16);
const ONE = address('198.51.100.1');

function attempt(to = ONE, port = 443, timestamp = 't') {
  const record: AuditEvent = {
    timestamp,
    event_type: 'connection_blocked',
    would_deny: false,
    blocked: true,
  };
  return { address: to, protocol: 'tcp', port, record } as const;
}

const all = () => true;

test('keeps the last attempt of a destination, and gives it out once', () => {
  const blocks = new RecentBlocks(1000);
  blocks.note(attempt(ONE, 443, 'first'), 0);
  blocks.note(attempt(ONE, 443, 'last'), 1);
  blocks.note(attempt(ONE, 80), 1);
  const taken = blocks.take(ONE, ({ port }) => port === 443, 2);
  expect(taken.map(({ record }) => record.timestamp)).toEqual(['last']);
  expect(blocks.take(ONE, all, 2).map(({ port }) => port)).toEqual([80]);
  expect(blocks.take(ONE, all, 2)).toEqual([]);
});

test('forgets what is older than its time', () => {
  const blocks = new RecentBlocks(1000);
  blocks.note(attempt(), 0);
  expect(blocks.take(ONE, all, 1001)).toEqual([]);
  expect(blocks.dropped).toBe(0);
});

test('holds 4,096 destinations; the oldest is dropped and counted', () => {
  const blocks = new RecentBlocks(1000);
  for (let port = 1; port <= 4100; port++) blocks.note(attempt(ONE, port), 0);
  expect(blocks.dropped).toBe(4);
  const kept = blocks.take(ONE, all, 1).map(({ port }) => port);
  expect([kept.length, Math.min(...kept)]).toEqual([4096, 5]);
});
