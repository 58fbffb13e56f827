// Ways of sending that an egress firewall can miss, against the whole wall and against each of its
// layers alone. Each is tried where nothing may arrive and a record must say so, and through the same
// path where it must arrive.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Arena } from './arena.ts';
import { CALLS } from './calls.ts';
import { addressOf, type Case } from './case.ts';
import { PACKETS } from './packets.ts';
import { SHAPES } from './shapes.ts';
import { ELSEWHERE, SOCKETS } from './sockets.ts';
import { Told } from './told.ts';
import { reduceTo, resume, type Wall } from './wall.ts';

const CASES = [...SOCKETS, ...CALLS, ...ELSEWHERE, ...PACKETS, ...SHAPES];

/** The cases a wall must hold against. */
function casesOf(wall: Wall): readonly Case[] {
  if (wall === 'the cgroup layer alone') return CASES.filter(({ only }) => only !== 'wall');
  return wall === 'the wall alone' ? CASES.filter(({ only }) => only !== 'cgroup') : CASES;
}

function isRecordOf(event: AuditEvent, { record }: Case, to: string): boolean {
  const isThere = record?.reason === undefined ? event.dst_ip === to : true;
  const wanted = Object.entries(record ?? {});
  return (
    event.blocked && isThere && wanted.every(([key, value]) => Reflect.get(event, key) === value)
  );
}

/** What became of a case: the marker of each part, or what it said instead. */
interface Try {
  readonly to: string;
  readonly attempt: string;
  readonly control?: string;
}

function tryOut(arena: Arena, one: Case, at: number): Try {
  const { privilege, script, to: target = 'refused', control } = one;
  const to = addressOf(target, at);
  const passes =
    control &&
    arena.attempt(privilege, control.script ?? script, addressOf(control.to ?? target, at));
  const { code, stderr, marker } = arena.attempt(privilege, script, to);
  const attempt = code === 0 ? marker : stderr;
  if (passes === undefined) return { to, attempt };
  const { stdout, stderr: said } = passes;
  return { to, attempt, control: stdout.trim() === 'sent' ? passes.marker : `${stdout}${said}` };
}

const told = new Told();
afterAll(() => told.print());

describe.each<Wall>(['both layers', 'the cgroup layer alone', 'the wall alone'])('%s', (wall) => {
  const arena = new Arena();
  const tries = new Map<Case, Try>();
  let events: readonly AuditEvent[] = [];

  beforeAll(async () => {
    await arena.open();
    await arena.guard();
    const gone = reduceTo(wall, arena.guarded);
    expect(gone.length > 0).toBe(wall !== 'both layers');
    for (const [at, one] of casesOf(wall).entries()) tries.set(one, tryOut(arena, one, at + 1));
    await arena.barrier();
    if (wall !== 'both layers') resume(arena.guarded);
    const last = arena.attempt('U', 'datagram().sendto(M, (TO, 9))', '203.0.112.254');
    expect(last.code).toBe(0);
    events = await arena.guarded.events((all) => all.some((e) => e.dst_ip === '203.0.112.254'));
  }, 240_000);
  afterAll(() => arena.close());

  test.each(casesOf(wall))('case $number ($privilege), $what', (one) => {
    const { to, attempt, control } = tries.get(one) ?? { to: '', attempt: 'not tried' };
    expect(attempt).toMatch(/^mark-/u);
    if (control !== undefined) expect([control, arena.saw(control)]).toEqual([control, true]);
    expect(arena.saw(attempt)).toBe(false);
    const near = events.filter((event) => event.dst_ip === to || event.dst_ip === undefined);
    expect(
      near.filter((event) => isRecordOf(event, one, to)),
      JSON.stringify(near),
    ).not.toEqual([]);
    told.closed(one.number, wall === 'both layers' ? one.what : `${one.what}, ${wall}`);
  });
});
