// The ways of sending once more in audit mode: everything passes, and each attempt is one event that
// says what enforce would have done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Arena, POLICY } from './arena.ts';
import { addressOf, type Case } from './case.ts';
import { PACKETS } from './packets.ts';
import { SHAPES } from './shapes.ts';
import { ELSEWHERE, SOCKETS } from './sockets.ts';
import { Told } from './told.ts';

const LAST = '203.0.112.254';
/** A frame that is not IP has no destination to be told by, and is recorded once an EtherType. */
const CASES: readonly Case[] = [...SOCKETS, ...ELSEWHERE, ...PACKETS, ...SHAPES].filter(
  ({ record }) => record?.reason === undefined,
);

/** What is sent at once: a stream's payload waits for an answer, which nobody at these addresses gives. */
function isSentAtOnce({ script, control }: Case): boolean {
  return control?.to !== undefined && !/stream\(|0x20000000|\(TO, 443\)/u.test(script);
}

const arena = new Arena('audit');
const told = new Told();
const targets = new Map<Case, string>();
const markers = new Map<Case, string>();
let events: readonly AuditEvent[] = [];

beforeAll(async () => {
  await arena.open();
  await arena.guard({ ...POLICY, mode: 'audit' });
  for (const [at, one] of CASES.entries()) {
    const to = addressOf(one.to ?? 'refused', at + 1);
    targets.set(one, to);
    markers.set(one, arena.attempt(one.privilege, one.script, to).marker);
  }
  await arena.barrier();
  // What comes last in the log shows that nothing of the attempts is on its way.
  arena.attempt('U', 'datagram().sendto(M, (TO, 9))', LAST);
  events = await arena.guarded.events((all) => all.some(({ dst_ip: to }) => to === LAST));
}, 120_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** The denials of a case's destination; of those that share one, the ones of its protocol and port. */
function denialsOf(one: Case): readonly AuditEvent[] {
  const { protocol, dst_port: port } = one.record ?? {};
  return events.filter(
    (event) =>
      event.would_deny &&
      event.dst_ip === targets.get(one) &&
      (protocol === undefined || event.protocol === protocol) &&
      (port === undefined || event.dst_port === port),
  );
}

/** Cases that try the same destination in the same way. */
function shares(one: Case): number {
  const wayOf = (of: Case) => [targets.get(of), of.record?.protocol, of.record?.dst_port].join(' ');
  return CASES.filter((other) => wayOf(other) === wayOf(one)).length;
}

describe('audit mode: one event an attempt', () => {
  test.each(CASES)('case 127 ($number, $privilege), $what', (one) => {
    const denials = denialsOf(one);
    expect(denials).toHaveLength(shares(one));
    if (isSentAtOnce(one)) expect(arena.saw(markers.get(one) ?? '')).toBe(true);
    expect(denials[0]).toMatchObject({ ...one.record, would_deny: true, blocked: false });
    told.closed(127, `${one.what} (case ${one.number}) in audit mode`);
  });

  test('nothing was refused', () => {
    expect(events.filter(({ blocked }) => blocked)).toEqual([]);
  });
});
