// Late allow (spec 7): a refused attempt that a later answer covers gets a second record, and
// nothing of the attempt is ever asked.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Guarded } from '../lab/guarded.ts';
import { until } from '../lab/lab.ts';
import { jobConnect } from '../lab/started.ts';

const REGISTRY = '198.51.100.10';
const OTHER = '198.51.100.20';
/** Grants end after a second, so that an address the policy allows is refused once. */
const TIMES = { grantFloorMs: 1000, grantCapMs: 1000 };

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('late');
  await guarded.open();
});
afterEach(() => guarded.close());

/** Tries until the first grant has ended. */
async function refuse(address: string): Promise<void> {
  await until(() => jobConnect(guarded.lab, address) === 'PermissionError', 'the end of the grant');
}

const isLate = (event: AuditEvent) => event.event_type === 'connection_late_allowed';

test('a fresh round of look-ups finds the refused address, and the next attempt passes', async () => {
  await guarded.guard({ allow: 'registry.example.com:443', times: TIMES });
  await refuse(REGISTRY);
  const events = await guarded.events((all) => all.some(isLate));
  const blocks = events.filter(({ event_type: type }) => type === 'connection_blocked');
  const [late] = events.filter(isLate);
  expect(late).toMatchObject({
    dst_ip: REGISTRY,
    dst_hostname: 'registry.example.com',
    dst_port: 443,
    protocol: 'TCP',
    process: 'python3',
    matched_rule: 'registry.example.com',
    would_deny: false,
    blocked: false,
  });
  const attempt = blocks.find(({ timestamp }) => timestamp === late?.timestamp);
  expect(attempt).toMatchObject({ dst_ip: REGISTRY, pid: late?.pid, blocked: true });
});

test('an attempt that no answer covers stays blocked, and nothing about it is asked', async () => {
  await guarded.guard({ allow: 'registry.example.com:443', times: TIMES });
  const before = guarded.heard.length;
  expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
  const asked = () => guarded.heard.slice(before).filter((line) => line.startsWith('dns '));
  await until(() => asked().length >= 2, 'the round');
  expect(asked().sort()).toEqual(expect.arrayContaining(['dns registry.example.com A']));
  expect(asked().filter((line) => /arpa|198|PTR|evil/.test(line))).toEqual([]);
  expect((await guarded.events()).filter(isLate)).toEqual([]);
  expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
});

test('what an address rule denies is never a late allow, and starts no round', async () => {
  await guarded.guard({ allow: 'registry.example.com:443', block: REGISTRY, times: TIMES });
  const before = guarded.heard.length;
  expect(jobConnect(guarded.lab, REGISTRY)).toBe('PermissionError');
  await guarded.events((all) => all.some(({ dst_ip: address }) => address === REGISTRY));
  expect(guarded.heard.slice(before).filter((line) => line.startsWith('dns '))).toEqual([]);
});

test('in mode audit the attempt passes, and its refusal-to-be is taken back', async () => {
  await guarded.guard({ mode: 'audit', allow: 'registry.example.com:443', times: TIMES });
  const { lab } = guarded;
  const isRefused = () =>
    lab.run(
      'grep',
      '-q',
      'connection_blocked.*"would_deny":true',
      '/run/cargowall/records/audit.jsonl',
    ).code === 0;
  await until(() => {
    expect(jobConnect(lab, REGISTRY)).toBe('connected');
    return isRefused();
  }, 'the end of the grant');
  const events = await guarded.events((all) => all.some(isLate));
  expect(events.find(isLate)).toMatchObject({ would_deny: false, blocked: false });
});
