// What holds for every policy (spec 5), over small alphabets so that rules collide all the time.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, addressKey, parseAddress } from '../../../src/core/net/address.ts';
import { PROTOCOL_NUMBERS, type Protocol } from '../../../src/core/net/protocol.ts';
import { compilePolicy } from '../../../src/core/policy/compile.ts';
import { decideAddress } from '../../../src/core/policy/decide-address.ts';
import { decideName } from '../../../src/core/policy/decide-name.ts';
import { KERNEL } from '../../../src/core/policy/kernel-entries.ts';
import type { Action, Policy } from '../../../src/core/policy/policy.ts';
import { aPolicy } from './policies.ts';

const NAMES = ['a.example', 'b.a.example', 'c.b.a.example', 'x.example', 'c.x.b.example'];
const HOSTS = [
  ...['a.example', '=a.example', 'b.a.example', '=b.a.example', '*.a.example', '**.a.example'],
  ...['*.b.*.example', '**.example', 'c.*.a.example', '=c.b.a.example', 'x.example'],
];
const ADDRESSES = ['10.1.2.3', '10.1.2.4', '10.9.9.9', '192.0.2.1', '2001:db8::1', '::1.2.3.4'];
const CIDRS = [
  ...['10.1.2.3', '10.1.2.0/24', '10.0.0.0/8', '0.0.0.0/0', '::/0', '2001:db8::/32', '2001:db8::1'],
];
const PORTS = ['443', '443/tcp', '80/tcp', '443/udp', '80;443/udp'];
const PAIRS: readonly (readonly [Protocol, number])[] = [
  ...([
    ['tcp', 443],
    ['tcp', 80],
    ['tcp', 9999],
  ] as const),
  ...([
    ['udp', 443],
    ['udp', 80],
    ['icmp', 0],
  ] as const),
];

interface Line {
  readonly action: Action;
  readonly list: 'hosts' | 'cidrs';
  readonly target: string;
  readonly ports: string;
}

const line = (ports: fc.Arbitrary<string>): fc.Arbitrary<Line> =>
  fc
    .record({
      action: fc.constantFrom<Action>('allow', 'deny'),
      list: fc.constantFrom('hosts', 'cidrs'),
      target: fc.nat(),
      ports,
    })
    .map(({ target, list, ...rest }) => {
      const targets = list === 'hosts' ? HOSTS : CIDRS;
      return { ...rest, list, target: targets[target % targets.length] ?? '' } as const;
    });
const anyLine = line(fc.constantFrom('', ...PORTS));
const lines = fc.array(anyLine, { maxLength: 8 });
const fallback = fc.constantFrom<Action>('deny', 'allow');

function entry({ target, ports }: Line): string {
  if (ports === '') return target;
  return `${target.includes(':') && !target.includes('/') ? `[${target}]` : target}:${ports}`;
}

function policyOf(all: readonly Line[], byDefault: Action): Policy {
  const text = (action: Action, list: Line['list']) =>
    all
      .filter((one) => one.action === action && one.list === list)
      .map(entry)
      .join('\n');
  const inputs = {
    allowedHosts: text('allow', 'hosts'),
    blockedHosts: text('deny', 'hosts'),
    allowedCidrs: text('allow', 'cidrs'),
    blockedCidrs: text('deny', 'cidrs'),
  };
  return aPolicy(inputs, byDefault);
}

const address = (text: string): Address => parseAddress(text) ?? new Uint8Array(16);

/** The verdict on every name and address, on every pair: `subject protocol port` -> verdict and rule. */
function verdicts(policy: Policy): ReadonlyMap<string, readonly [Action, string]> {
  const all = new Map<string, readonly [Action, string]>();
  for (const [protocol, port] of PAIRS) {
    for (const name of NAMES) {
      const { verdict, rule } = decideName(policy, name, { runner: false }).byPair(protocol, port);
      all.set(`${name} ${protocol} ${port}`, [verdict, rule?.text ?? '']);
    }
    for (const text of ADDRESSES) {
      const rule = decideAddress(policy, address(text), protocol, port)?.rule;
      const verdict = rule?.action ?? policy.default;
      all.set(`${text} ${protocol} ${port}`, [verdict, rule?.text ?? '']);
    }
  }
  return all;
}

function changes(before: Policy, after: Policy) {
  const was = verdicts(before);
  return [...verdicts(after)].flatMap(([key, [verdict]]) => {
    const [old] = was.get(key) ?? [verdict];
    return old === verdict ? [] : [{ key, from: old, to: verdict }];
  });
}

const RUNS = { numRuns: 400, seed: 20_261_124 };

describe('whatever the policy', () => {
  test('the order of rules decides nothing', () => {
    fc.assert(
      fc.property(lines, fallback, fc.infiniteStream(fc.nat()), (all, byDefault, random) => {
        const shuffled = all
          .map((one) => ({ one, at: random.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        expect(verdicts(policyOf(shuffled, byDefault))).toEqual(verdicts(policyOf(all, byDefault)));
      }),
      RUNS,
    );
  });

  test('adding a deny never opens anything', () => {
    fc.assert(
      fc.property(lines, anyLine, fallback, (all, more, byDefault) => {
        const before = policyOf(all, byDefault);
        const after = policyOf([...all, { ...more, action: 'deny' }], byDefault);
        expect(changes(before, after).filter(({ to }) => to === 'allow')).toEqual([]);
      }),
      RUNS,
    );
  });

  test('adding an allow never closes anything', () => {
    fc.assert(
      fc.property(lines, anyLine, fallback, (all, more, byDefault) => {
        const before = policyOf(all, byDefault);
        const after = policyOf([...all, { ...more, action: 'allow' }], byDefault);
        expect(changes(before, after).filter(({ to }) => to === 'deny')).toEqual([]);
      }),
      RUNS,
    );
  });

  test('a rule for one port never changes another', () => {
    const tcp443 = line(fc.constant('443/tcp'));
    fc.assert(
      fc.property(lines, tcp443, fallback, (all, more, byDefault) => {
        const changed = changes(policyOf(all, byDefault), policyOf([...all, more], byDefault));
        expect(changed.filter(({ key }) => !key.endsWith(' tcp 443'))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('the compiled entries say what the rules say', () => {
    fc.assert(
      fc.property(lines, (all) => {
        const policy = policyOf(all, 'deny');
        const ask = kernelRules(policy);
        for (const [protocol, port] of PAIRS) {
          for (const text of ADDRESSES) {
            const rule = decideAddress(policy, address(text), protocol, port)?.rule;
            expect([text, protocol, port, ask(text, protocol, port)]).toEqual([
              ...[text, protocol, port, rule?.action],
            ]);
          }
        }
      }),
      { ...RUNS, numRuns: 100 },
    );
  });
});

/** rule_for() of bpf/verdict.bpf.h over the entries of a policy, for everyone. */
function kernelRules(policy: Policy) {
  const entries = new Map<string, { readonly deny: boolean; readonly length: number }>();
  for (const { key, value } of compilePolicy(policy)) {
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    if (view.getUint32(KERNEL.key.scope, true) !== KERNEL.scopeEveryone) continue;
    const bits = view.getUint32(KERNEL.key.prefixlen, true) - KERNEL.headBits;
    const proto = view.getUint8(KERNEL.key.proto);
    const port = view.getUint16(KERNEL.key.port, true);
    const to = addressKey(key.subarray(KERNEL.key.addr));
    entries.set(`${proto} ${port} ${bits} ${to}`, {
      deny: value[KERNEL.value.verdict] === KERNEL.verdictDeny,
      length: value[KERNEL.value.prefixlen] ?? 0,
    });
  }
  /** The longest prefix of one (proto, port), as a trie finds it. */
  const longest = (to: Address, proto: number, port: number) => {
    for (let bits = 128; bits >= 0; bits--) {
      const masked = to.map((byte, index) => {
        const kept = Math.max(0, Math.min(8, bits - index * 8));
        return byte & (0xff << (8 - kept)) & 0xff;
      });
      const found = entries.get(`${proto} ${port} ${bits} ${addressKey(masked)}`);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return (text: string, protocol: Protocol, port: number): Action | undefined => {
    const to = address(text);
    const isV6 = text.includes(':') && !text.startsWith('::ffff:');
    const proto = PROTOCOL_NUMBERS[protocol === 'icmp' && isV6 ? 'icmpv6' : protocol];
    const asked = [longest(to, proto, port), longest(to, proto, 0), longest(to, 0, 0)];
    const found = asked.flatMap((one) => one ?? []);
    found.sort((a, b) => b.length - a.length || Number(b.deny) - Number(a.deny));
    const [best] = found;
    return best && (best.deny ? 'deny' : 'allow');
  };
}
