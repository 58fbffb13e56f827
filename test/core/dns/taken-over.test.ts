// A daemon that takes over the grants of an earlier one: the kernel admits what one daemon would have it admit.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeGrants } from '../../../src/core/dns/grant-write.ts';
import { Grants } from '../../../src/core/dns/grants.ts';
import { type Segment, segment } from '../../../src/core/dns/segment.ts';
import { parseAddress } from '../../../src/core/net/address.ts';
import { emptyPairs, type PortSet } from '../../../src/core/net/pair-set.ts';
import type { MapWrite } from '../../../src/core/policy/map-write.ts';

const ADDRESS = parseAddress('192.0.2.1') ?? new Uint8Array(16);
const PORTS = [22, 80, 443, 8080];

/** The kernel's map; what it admits is what verdict_for() finds: an exact entry decides alone. */
class FakeMap {
  readonly #entries = new Map<string, MapWrite>();

  apply(writes: readonly MapWrite[]): void {
    for (const write of writes) {
      const key = Buffer.from(write.key).toString('hex');
      if (write.op === 'delete') this.#entries.delete(key);
      else this.#entries.set(key, write);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  /** As the loader sends it. */
  get content(): Uint8Array {
    const all = [...this.#entries.values()].flatMap(({ key, value }) => [...key, ...value]);
    return Uint8Array.from(all);
  }

  admits(port: number, nowMs: number): boolean {
    const given = decodeGrants(this.content);
    const of = (at: number) => given.find(({ key }) => key.proto === 6 && key.port === at);
    const entry = of(port) ?? of(0);
    return entry !== undefined && entry.value.expiresMs > nowMs;
  }
}

const ports: fc.Arbitrary<PortSet> = fc.record({
  kind: fc.constantFrom('some', 'allBut'),
  ports: fc.subarray(PORTS),
});
const step = fc.record({
  name: fc.constantFrom('a.example', 'b.example', 'c.example'),
  tcp: ports,
  lifeMs: fc.constantFrom(1000, 5000, 20_000),
  afterMs: fc.constantFrom(0, 2000, 6000),
  isSwept: fc.boolean(),
});

function tcpSegment(tcp: PortSet): Segment {
  return segment({ kind: 'user', pairs: { ...emptyPairs(), tcp }, rule: 1, private: false });
}

test('what was granted before lives to its end, and neither hides nor uncovers what is granted after', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(12), (steps, change) => {
      const [one, two] = [new FakeMap(), new FakeMap()];
      const whole = new Grants();
      let parts = new Grants();
      let nowMs = 0;
      for (const [index, { name, tcp, lifeMs, afterMs, isSwept }] of steps.entries()) {
        if (index === change) {
          parts = new Grants(1000);
          two.apply(parts.takeOver(decodeGrants(two.content), nowMs));
        }
        const grants = [{ address: ADDRESS, grants: [tcpSegment(tcp)], denials: [] }];
        const request = { name, grants, expiresAtMs: nowMs + lifeMs, nowMs };
        one.apply(whole.grant(request).writes);
        two.apply(parts.grant(request).writes);
        nowMs += afterMs;
        if (isSwept) {
          one.apply(whole.sweep(nowMs));
          two.apply(parts.sweep(nowMs));
        }
        for (const port of [...PORTS, 9]) {
          expect(two.admits(port, nowMs), `${port} after ${index}`).toBe(one.admits(port, nowMs));
        }
      }
      two.apply(parts.sweep(nowMs + 20_000));
      expect(two.size).toBe(0);
    }),
    { numRuns: 2000 },
  );
});
