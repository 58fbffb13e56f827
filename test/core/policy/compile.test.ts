import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  KIND,
  OFFSET,
  SCOPE,
  SIZE,
  VERDICT,
  WRITABLE_MAP,
} from '../../../src/core/flow/layout.gen.ts';
import { type Address, parseAddress } from '../../../src/core/net/address.ts';
import { contains } from '../../../src/core/net/cidr.ts';
import { compilePolicy, compileUpstreams } from '../../../src/core/policy/compile.ts';
import { decideAddress } from '../../../src/core/policy/decide-address.ts';
import {
  encodeGrantKey,
  encodeGrantValue,
  GRANTS_MAP,
  KERNEL,
} from '../../../src/core/policy/kernel-entries.ts';
import type { MapWrite } from '../../../src/core/policy/map-write.ts';
import type { Policy, Rule } from '../../../src/core/policy/policy.ts';
import { aPolicy } from './policies.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

interface Found {
  readonly rule: number;
  readonly verdict: number;
  readonly length: number;
}

/** Whether the first `bits` of both are the same, compared raw. */
function agree(key: Uint8Array, to: Address, bits: number): boolean {
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (key[12 + at] !== to[at]) return false;
  const rest = 0xff00 >> (bits & 7);
  return (((key[12 + whole] ?? 0) ^ (to[whole] ?? 0)) & rest & 0xff) === 0;
}

/** A longest-prefix lookup as the kernel does it: bits of key and question compared raw. */
function lookup(
  writes: readonly MapWrite[],
  proto: number,
  port: number,
  to: Address,
): Found | undefined {
  let best: { readonly bits: number; readonly value: Uint8Array } | undefined;
  for (const { key, value } of writes) {
    if (key[8] !== 0 || key[9] !== proto) continue;
    const view = new DataView(key.buffer);
    if (view.getUint32(4, true) !== 0 || view.getUint16(10, true) !== port) continue;
    const bits = view.getUint32(0, true) - 64;
    if (best !== undefined && best.bits >= bits) continue;
    if (agree(key, to, bits)) best = { bits, value };
  }
  if (best === undefined) return undefined;
  const { value } = best;
  const rule = new DataView(value.buffer).getUint32(0, true);
  return { rule, verdict: value[4] ?? 0, length: value[5] ?? 0 };
}

/** rule_for() of bpf/verdict.bpf.h. */
function ruleFor(
  writes: readonly MapWrite[],
  proto: number,
  port: number,
  to: Address,
): Found | undefined {
  let best: Found | undefined;
  for (const [p, q] of [
    [proto, port],
    [proto, 0],
    [0, 0],
  ] as const) {
    const found = lookup(writes, p, q, to);
    if (found === undefined) continue;
    const isBehind =
      best !== undefined &&
      (found.length < best.length || (found.length === best.length && found.verdict === 1));
    if (!isBehind) best = found;
  }
  return best;
}

const PREFIXES = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.3',
  '::/0',
  '::/2',
  '2000::/3',
  '2001:db8::/32',
  '2001:db8::1',
  '::/80',
  '::/97',
];
const PORTS = ['', ':443', ':22/tcp', ':443/udp'];

function entryOf(target: string, ports: string): string {
  const isBare = target.includes(':') && !target.includes('/');
  return ports !== '' && isBare ? `[${target}]${ports}` : target + ports;
}

const ENTRIES = PREFIXES.flatMap((target) => PORTS.map((ports) => entryOf(target, ports)));
/** Every entry as an allow and as a deny, parsed once; policies are made of these. */
const WHOLE = aPolicy({
  allowedCidrs: ENTRIES.join('\n'),
  blockedCidrs: ENTRIES.join('\n'),
});
const isUsers = ({ autoAllowedType, runnerHost }: Rule) =>
  autoAllowedType === undefined && runnerHost !== true;
const OTHERS = WHOLE.rules.filter((rule) => !isUsers(rule));
const list = fc.array(fc.constantFrom(...WHOLE.rules.filter(isUsers)), { maxLength: 12 });

/** A policy of some of the user's rules and all of the others. */
function policyOf(users: readonly Rule[]): Policy {
  const rules = [...users, ...OTHERS].map((rule, index) => ({ ...rule, id: index + 1 }));
  return { ...WHOLE, rules };
}

const destination = fc.constantFrom(
  '10.1.2.3',
  '10.1.9.9',
  '10.9.9.9',
  '1.1.1.1',
  '2001:db8::1',
  '2001:db8::2',
  '2600::1',
  '8000::1',
  '::5',
  '::ffff:0:0:5',
);
const protocol = fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const);

function numberOf(name: 'tcp' | 'udp' | 'icmp', to: Address): number {
  if (name === 'icmp') return contains({ address: address('0.0.0.0'), length: 96 }, to) ? 1 : 58;
  return name === 'tcp' ? 6 : 17;
}

describe('compilePolicy', () => {
  // in parts: each has a test's time to itself
  it.each([1, 2, 3, 4])('makes the kernel find the rule that the reference finds, part %i', () => {
    fc.assert(
      fc.property(
        list,
        destination,
        protocol,
        fc.constantFrom(22, 443, 80),
        (users, text, name, number) => {
          const policy = policyOf(users);
          const to = address(text);
          const port = name === 'icmp' ? 0 : number;
          const reference = decideAddress(policy, to, name, port)?.rule;
          const found = ruleFor(compilePolicy(policy), numberOf(name, to), port, to);
          const target = policy.rules[(found?.rule ?? 0) - 1]?.text;
          expect([target, found?.verdict]).toEqual([
            reference?.text,
            reference && (reference.action === 'allow' ? 1 : 0),
          ]);
        },
      ),
      { numRuns: 250 },
    );
  });

  it('never writes the same key twice', () => {
    fc.assert(
      fc.property(list, (users) => {
        const writes = compilePolicy(policyOf(users));
        expect(new Set(writes.map(({ key }) => key.join())).size).toBe(writes.length);
      }),
    );
  });

  it('gives auto-allowed addresses to the runner and the platform only, leases to DHCP clients too', () => {
    const scopes = compilePolicy(aPolicy({})).map(({ key }) => [
      new DataView(key.buffer).getUint32(4, true),
      key[8],
    ]);
    expect(new Set(scopes.map(String))).toEqual(new Set(['1,1', '3,1', '4,1']));
  });

  it('writes struct rule_key and rule_value where bpf/abi.h has them', () => {
    expect(KERNEL.keySize).toBe(SIZE.rule_key);
    expect(OFFSET.rule_key).toMatchObject(KERNEL.key);
    expect(KERNEL.valueSize).toBe(SIZE.rule_value);
    expect(OFFSET.rule_value).toMatchObject(KERNEL.value);
    expect([KERNEL.mapRules, GRANTS_MAP]).toEqual([WRITABLE_MAP.RULES, WRITABLE_MAP.GRANTS]);
    expect([KERNEL.kindUser, KERNEL.kindAuto]).toEqual([KIND.USER, KIND.AUTO]);
    const { scopeEveryone, scopeRunner, scopeDaemon, scopePlatform, scopeLease } = KERNEL;
    expect([scopeEveryone, scopeRunner, scopeDaemon, scopePlatform, scopeLease]).toEqual([
      SCOPE.EVERYONE,
      SCOPE.RUNNER,
      SCOPE.DAEMON,
      SCOPE.PLATFORM,
      SCOPE.LEASE,
    ]);
    expect([KERNEL.verdictDeny, KERNEL.verdictAllow]).toEqual([VERDICT.DENY, VERDICT.ALLOW]);
  });

  it('writes grants where bpf/abi.h has them', () => {
    const key = encodeGrantKey({
      scope: 1,
      kind: 2,
      proto: 6,
      port: 443,
      address: address('10.1.2.3'),
    });
    const view = new DataView(key.buffer);
    const at = OFFSET.grant_key;
    expect(key).toHaveLength(SIZE.grant_key);
    expect([
      view.getUint32(at.scope, true),
      key[at.kind],
      key[at.proto],
      view.getUint16(at.port, true),
    ]).toEqual([1, 2, 6, 443]);
    expect(key.slice(at.addr)).toEqual(address('10.1.2.3'));
    const value = new DataView(encodeGrantValue({ expiresNs: 7n, rule: 8, name: 9 }).buffer);
    const { expires_ns, rule, name } = OFFSET.grant_value;
    expect(value.byteLength).toBe(SIZE.grant_value);
    expect([
      value.getBigUint64(expires_ns, true),
      value.getUint32(rule, true),
      value.getUint32(name, true),
    ]).toEqual([7n, 8, 9]);
  });

  it('opens the upstream for the daemon alone', () => {
    const writes = compileUpstreams([{ address: address('192.0.2.53'), port: 53 }]);
    expect(writes.map(({ key }) => [key[4], key[9]])).toEqual([
      [2, 17],
      [2, 6],
    ]);
  });
});
