// Ways of sending that an egress firewall can miss, against the whole wall and against each of its
// layers alone. Each is tried where nothing may arrive and a record must say so, and through the same
// path where it must arrive.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Arena } from './arena.ts';
import type { Case, Target } from './case.ts';
import { PACKETS } from './packets.ts';
import { SHAPES } from './shapes.ts';
import { ELSEWHERE, SOCKETS } from './sockets.ts';
import { Told } from './told.ts';
import { reduceTo, resume, type Wall } from './wall.ts';

const CASES = [...SOCKETS, ...ELSEWHERE, ...PACKETS, ...SHAPES];

/** The cases a wall must hold against. */
function casesOf(wall: Wall): readonly Case[] {
  if (wall === 'the cgroup layer alone') return CASES.filter(({ only }) => only !== 'wall');
  return wall === 'the wall alone' ? CASES.filter(({ only }) => only !== 'cgroup') : CASES;
}

/** A case's own address of a kind. */
function addressOf(target: Target, at: number): string {
  const kinds: Readonly<Record<string, string>> = {
    refused: `203.0.112.${at}`,
    refused6: `2001:db8:bad::${at.toString(16)}`,
    open: `198.51.101.${at}`,
    open6: `2001:db8:2::${at.toString(16)}`,
  };
  return kinds[target] ?? target;
}

function isRecordOf(event: AuditEvent, { record }: Case, to: string): boolean {
  const isThere = record?.reason === undefined ? event.dst_ip === to : true;
  const wanted = Object.entries(record ?? {});
  return (
    event.blocked && isThere && wanted.every(([key, value]) => Reflect.get(event, key) === value)
  );
}

const told = new Told();
afterAll(() => told.print());

describe.each<Wall>(['both layers', 'the cgroup layer alone', 'the wall alone'])('%s', (wall) => {
  const arena = new Arena();
  const passed = new Map<Case, string>();
  const tried = new Map<Case, { marker: string; to: string }>();
  let events: readonly AuditEvent[] = [];

  beforeAll(async () => {
    await arena.open();
    await arena.guard();
    const gone = reduceTo(wall, arena.guarded);
    expect(gone.length > 0).toBe(wall !== 'both layers');
    for (const [at, one] of casesOf(wall).entries()) {
      const { privilege, script, to: target = 'refused', control } = one;
      if (control !== undefined) {
        const address = addressOf(control.to ?? target, at + 1);
        const { stdout, stderr, marker } = arena.attempt(
          privilege,
          control.script ?? script,
          address,
        );
        passed.set(one, stdout.trim() === 'sent' ? marker : `${stdout}${stderr}`);
      }
      const to = addressOf(target, at + 1);
      const { code, stderr, marker } = arena.attempt(privilege, script, to);
      tried.set(one, { marker: code === 0 ? marker : stderr, to });
    }
    await arena.barrier();
    if (wall !== 'both layers') resume(arena.guarded);
    const last = arena.attempt('U', 'datagram().sendto(M, (TO, 9))', '203.0.112.254');
    expect(last.code).toBe(0);
    events = await arena.guarded.events((all) => all.some((e) => e.dst_ip === '203.0.112.254'));
  }, 240_000);
  afterAll(() => arena.close());

  test.each(casesOf(wall))('case $number ($privilege), $what', (one) => {
    const { marker, to } = tried.get(one) ?? { marker: 'not tried', to: '' };
    expect(marker).toMatch(/^mark-/u);
    const control = passed.get(one);
    if (control !== undefined) expect([control, arena.saw(control)]).toEqual([control, true]);
    expect(arena.saw(marker)).toBe(false);
    const near = events.filter((event) => event.dst_ip === to || event.dst_ip === undefined);
    expect(
      near.filter((event) => isRecordOf(event, one, to)),
      JSON.stringify(near),
    ).not.toEqual([]);
    told.closed(one.number, wall === 'both layers' ? one.what : `${one.what}, ${wall}`);
  });
});
