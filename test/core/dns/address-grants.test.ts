// Many names on one address: those that lead say to the kernel what all of them say.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressState, type Holding, type Table } from '../../../src/core/dns/address-grants.ts';
import { grantEntries } from '../../../src/core/dns/grant-entries.ts';
import { type Segment, segment } from '../../../src/core/dns/segment.ts';
import { everyPort, pairsOf, subtract } from '../../../src/core/net/pair-set.ts';

const ON_443 = pairsOf([{ port: 443, protocol: 'tcp' }], 'allow');
const SEGMENTS: readonly Segment[] = [everyPort(), ON_443, subtract(everyPort(), ON_443)].flatMap(
  (pairs, index) => [
    segment({ kind: 'user', pairs, rule: index + 1, private: false }),
    segment({ kind: 'user', pairs, rule: 9, private: false }),
  ],
);

const holding = fc.record({
  table: fc.constantFrom<Table>('user', 'denial'),
  segment: fc.constantFrom(...SEGMENTS),
  name: fc.nat(30),
  expiresAtMs: fc.constantFrom(1000, 2000, 3000),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set'), holding }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), holding }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end'), holding }) },
);

/** What a sweep takes away. */
function endUntil(state: AddressState, nowMs: number): void {
  for (const one of state.values()) if (one.expiresAtMs <= nowMs) state.delete(one);
}

function entriesOf(holdings: readonly Holding[], table: Table) {
  return grantEntries(
    holdings
      .filter((one) => one.table === table)
      .map(({ segment: { pairs, rule }, name, expiresAtMs }) => ({
        pairs,
        rule,
        name,
        expiresAtMs,
      })),
  );
}

describe('the leading holdings of an address', () => {
  test('make the entries that all of them make, after whatever was set and taken away', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const state = new AddressState('');
        for (const { kind, holding: one } of steps) {
          if (kind === 'set') state.set(one);
          else if (kind === 'delete') state.delete(one);
          else endUntil(state, one.expiresAtMs);
          for (const table of ['user', 'denial'] as const) {
            expect(entriesOf(state.leading(), table)).toEqual(entriesOf(state.values(), table));
          }
          const live = state.values().filter((some) => some.expiresAtMs > 1500);
          expect(state.latestForAll(1500)).toBe(live.findLast((some) => some.table === 'user'));
          expect(state.ofName(one.name)).toHaveLength(
            state.values().filter((some) => some.name === one.name).length,
          );
        }
      }),
    );
  });

  test('are as many as their pairs, however many the names', () => {
    const state = new AddressState('');
    const [everything] = SEGMENTS;
    if (everything === undefined) throw new Error('no segment');
    for (let name = 1; name <= 10_000; name++) {
      state.set({ table: 'user', segment: everything, name, expiresAtMs: 300_000 + name });
    }
    expect(state.size).toBe(10_000);
    expect(state.leading()).toHaveLength(1);
    expect(state.leading()[0]?.name).toBe(10_000);
  });
});
