// The entries mean, read as the kernel reads them, what the claims say together.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Claim, type GrantEntry, grantEntries } from '../../../src/core/dns/grant-entries.ts';
import { has, type PortSet } from '../../../src/core/net/pair-set.ts';
import type { Protocol } from '../../../src/core/net/protocol.ts';

/** grant_for() of bpf/verdict.bpf.h: an exact entry decides alone, then the wide one. */
function expiryInKernel(entries: readonly GrantEntry[], protocol: Protocol, port: number): number {
  const find = (wanted: number) =>
    entries.find((entry) => entry.protocol === protocol && entry.port === wanted);
  const found = find(port) ?? find(0);
  return found?.expiresAtMs ?? 0;
}

function ports(kind: 'some' | 'allBut', list: readonly number[]): PortSet {
  return { kind, ports: [...new Set(list)].sort((a, b) => a - b) };
}

const portSet = fc
  .tuple(
    fc.constantFrom('some' as const, 'allBut' as const),
    fc.array(fc.integer({ min: 1, max: 6 })),
  )
  .map(([kind, list]) => ports(kind, list));
const claim: fc.Arbitrary<Claim> = fc.record({
  pairs: fc.record({ tcp: portSet, udp: portSet, icmp: fc.boolean() }),
  expiresAtMs: fc.integer({ min: 1, max: 1000 }),
  rule: fc.nat(5),
  name: fc.nat(5),
});

test('every pair ends with the latest claim that covers it, and is shut where none does', () => {
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 6 }), (claims) => {
      const entries = grantEntries(claims);
      for (const protocol of ['tcp', 'udp', 'icmp'] as const) {
        for (const port of protocol === 'icmp' ? [0] : [1, 2, 3, 4, 5, 6, 443]) {
          const covering = claims.filter((one) => has(one.pairs, protocol, port));
          const latest = Math.max(0, ...covering.map((one) => one.expiresAtMs));
          expect(expiryInKernel(entries, protocol, port)).toBe(latest);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a hole is written before the wide entry it limits', () => {
  const pairs = { tcp: ports('allBut', [25]), udp: ports('some', []), icmp: false };
  expect(grantEntries([{ pairs, expiresAtMs: 5, rule: 1, name: 1 }])).toEqual([
    { protocol: 'tcp', port: 25, expiresAtMs: 0, rule: 0, name: 0 },
    { protocol: 'tcp', port: 0, expiresAtMs: 5, rule: 1, name: 1 },
  ]);
});
