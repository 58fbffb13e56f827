import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { schemaFaults } from '../../lab/audit-schema.ts';

const FOLDER = new URL('../../golden/', import.meta.url);
const LOGS = readdirSync(FOLDER).filter((name) => name.endsWith('.audit.jsonl'));
const BASE = { timestamp: '2026-11-24T06:35:00.000000000Z', would_deny: false, blocked: false };

test.each(LOGS)('%s is what docs/audit.schema.json says', (name) => {
  expect(schemaFaults(readFileSync(new URL(name, FOLDER), 'utf8'))).toEqual([]);
});

describe('the schema refuses', () => {
  test.each([
    ['an unknown kind', { ...BASE, event_type: 'connection' }],
    ['an unknown field', { ...BASE, event_type: 'dns_blocked', user: 'x' }],
    ['a port of 0', { ...BASE, event_type: 'connection_blocked', dst_port: 0 }],
    ['no flags', { timestamp: BASE.timestamp, event_type: 'tamper', reason: 'x' }],
    [
      'another time',
      { ...BASE, timestamp: '2026-11-24T06:35:00Z', event_type: 'tamper', reason: 'x' },
    ],
    ['a session without its sums', { ...BASE, event_type: 'session_ended', mode: 'audit' }],
  ])('%s', (_what, record) => {
    expect(schemaFaults(JSON.stringify(record))).toHaveLength(1);
  });
});
