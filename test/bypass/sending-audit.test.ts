// The ways of sending once more in audit mode: everything passes, and each attempt is one event that
// says what enforce would have done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Arena, ATTACKER } from './arena.ts';
import { CASES } from './cases.ts';
import { Told } from './told.ts';

const arena = new Arena();
const told = new Told();
/** Attempts so far, whatever became of them: no event may be missing at the end, none too many. */
let attempts = 0;

beforeAll(async () => {
  const { guarded } = arena;
  const guard = guarded.guard.bind(guarded);
  guarded.guard = (wishes) => guard({ ...wishes, mode: 'audit' });
  await arena.open();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

function isDenial({ would_deny }: AuditEvent): boolean {
  return would_deny;
}

describe('audit mode: one event an attempt', () => {
  test.each(CASES)('case 127 ($number, $privilege), $what', async (one) => {
    const { number, what, privilege, script, to = ATTACKER, record } = one;
    const before = (await arena.guarded.events()).length;
    const tried = arena.attempt(privilege, script, to);
    attempts++;
    const isIt = (event: AuditEvent) => event.dst_ip === to && event.would_deny;
    await arena.guarded.events((all) => all.slice(before).some(isIt));
    // What comes behind the barrier in the log shows that nothing more of the attempt is on its way.
    await arena.hasArrived(tried.marker, false);
    const ofIt = (await arena.guarded.events()).slice(before).filter(isDenial);
    expect(ofIt).toHaveLength(1);
    expect(ofIt[0]).toMatchObject({ ...record, dst_ip: to, would_deny: true, blocked: false });
    told.closed(127, `${what} (case ${number}) in audit mode`);
  });

  test('none was lost, and none came twice', async () => {
    const events = await arena.guarded.events();
    expect(events.filter(isDenial).reduce((sum, { count = 1 }) => sum + count, 0)).toBe(attempts);
    expect(events.filter(({ blocked }) => blocked)).toEqual([]);
  });
});
