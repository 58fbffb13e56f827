import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  has,
  intersect,
  isEmpty,
  type PairSet,
  pairsOf,
  rangesOf,
  subtract,
  union,
} from '../../../src/core/net/pair-set.ts';

const ports = fc.record({
  kind: fc.constantFrom('some' as const, 'allBut' as const),
  ports: fc.uniqueArray(fc.integer({ min: 1, max: 9 })).map((list) => list.sort((a, b) => a - b)),
});
const set: fc.Arbitrary<PairSet> = fc.record({ tcp: ports, udp: ports, icmp: fc.boolean() });
const pair = fc.oneof(
  fc.tuple(fc.constantFrom('tcp' as const, 'udp' as const), fc.integer({ min: 1, max: 11 })),
  fc.constant(['icmp', 0] as const),
);

describe('pair sets', () => {
  it('unite, cut and subtract pair by pair', () => {
    fc.assert(
      fc.property(set, set, pair, (a, b, [protocol, port]) => {
        const [inA, inB] = [has(a, protocol, port), has(b, protocol, port)];
        expect(has(union(a, b), protocol, port)).toBe(inA || inB);
        expect(has(intersect(a, b), protocol, port)).toBe(inA && inB);
        expect(has(subtract(a, b), protocol, port)).toBe(inA && !inB);
      }),
    );
  });

  it('are empty exactly when they have no range', () => {
    fc.assert(
      fc.property(set, set, (a, b) => {
        for (const one of [a, subtract(a, a), subtract(a, b)]) {
          expect(isEmpty(one)).toBe(rangesOf(one).length === 0);
        }
        expect(isEmpty(subtract(a, a))).toBe(true);
      }),
    );
  });

  it('cover TCP and UDP for an allow without ports, everything for a deny', () => {
    expect(has(pairsOf(null, 'allow'), 'icmp', 0)).toBe(false);
    expect(has(pairsOf(null, 'allow'), 'udp', 65_535)).toBe(true);
    expect(has(pairsOf(null, 'deny'), 'icmp', 0)).toBe(true);
    expect(
      rangesOf(
        pairsOf(
          [
            { port: 80, protocol: 'both' },
            { port: 81, protocol: 'tcp' },
          ],
          'allow',
        ),
      ),
    ).toEqual([
      { protocol: 'tcp', from: 80, to: 81 },
      { protocol: 'udp', from: 80, to: 80 },
    ]);
  });
});
