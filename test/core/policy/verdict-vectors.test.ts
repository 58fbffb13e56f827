// The reference in TypeScript answers the vectors that the real program answers in test/bpf.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Address, addressKey, parseAddress } from '../../../src/core/net/address.ts';
import { contains, parsePrefix } from '../../../src/core/net/cidr.ts';
import type { PortItem } from '../../../src/core/net/pair-set.ts';
import { decideConnection, type Surroundings } from '../../../src/core/policy/decide.ts';
import type { Policy, Rule } from '../../../src/core/policy/policy.ts';

type Proto = 'any' | 'tcp' | 'udp' | 'icmp' | 'icmpv6' | number;

interface Entry {
  readonly proto: Proto;
  readonly port: number;
  readonly kind?: string;
  readonly scope?: string;
}

interface Ask extends Entry {
  readonly to: string;
  readonly otherNetns?: boolean;
  readonly verdict: string;
  readonly by: string;
  readonly rule?: number;
}

interface Case {
  readonly name: string;
  readonly default: 'allow' | 'deny';
  readonly daemon?: 'alive' | 'gone';
  readonly upstream?: { readonly address: string; readonly port: number };
  readonly resolvers?: readonly string[];
  readonly locals?: readonly string[];
  readonly rules?: readonly (Entry & { id: number; prefix: string; action: 'allow' | 'deny' })[];
  readonly grants?: readonly (Entry & { address: string; life: string; rule: number })[];
  readonly asks: readonly Ask[];
}

const NUMBERS = { any: 0, icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };
const { cases } = JSON.parse(readFileSync('test/vectors/verdicts.json', 'utf8')) as {
  cases: Case[];
};

function needed(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

function numberOf(proto: Proto): number {
  return typeof proto === 'number' ? proto : NUMBERS[proto];
}

/** Every port of one protocol has no rule of its own in a policy: the asked ones stand for it. */
function portsOf(entry: Entry, one: Case): readonly PortItem[] | null {
  const { proto, port } = entry;
  if (proto === 'any') return null;
  if (proto === 'icmp' || proto === 'icmpv6') return [{ port: 0, protocol: 'icmp' }];
  if (proto !== 'tcp' && proto !== 'udp') throw new Error(`no rule names protocol ${proto}`);
  const asked = new Set(
    one.asks.map((ask) => ask.port).filter((found) => found > 0 && found !== 53),
  );
  return (port > 0 ? [port] : [...asked]).map((number) => ({ port: number, protocol: proto }));
}

function policyOf(one: Case): Policy {
  const rules = (one.rules ?? []).map((entry): Rule => {
    const text = entry.prefix.replace(/\/(32|128)$/, (whole, length: string) =>
      (length === '32') === entry.prefix.includes('.') ? '' : whole,
    );
    return {
      id: entry.id,
      target: { kind: 'prefix', text },
      ports: portsOf(entry, one),
      action: entry.action,
      private: false,
      text,
      where: { source: 'vectors', line: 1, column: 1 },
      ...(entry.kind === 'AUTO' ? { autoAllowedType: 'cloud_metadata' } : {}),
    };
  });
  return { default: one.default, rules, searchDomains: [], expectedBlocks: [] };
}

function surroundingsOf(one: Case): Surroundings {
  const isDaemonGone = one.daemon === 'gone';
  const locals = (one.locals ?? []).flatMap((text) => parsePrefix(text) ?? []);
  return {
    isDaemonGone,
    upstream:
      one.upstream === undefined
        ? undefined
        : { address: needed(one.upstream.address), port: one.upstream.port },
    isResolver: (address) =>
      (one.resolvers ?? []).some((text) => addressKey(needed(text)) === addressKey(address)),
    localLength: (address) => {
      const lengths = locals.filter((prefix) => contains(prefix, address)).map((p) => p.length);
      return lengths.length === 0 ? undefined : Math.max(...lengths);
    },
    grant: (kind, to) => {
      const entries = (one.grants ?? []).filter(
        (entry) =>
          (entry.kind ?? 'USER').toLowerCase() === kind &&
          addressKey(needed(entry.address)) === addressKey(to.address),
      );
      const find = (proto: number, port: number) =>
        entries.find((entry) => numberOf(entry.proto) === proto && entry.port === port);
      const found = find(to.protocol, to.port) ?? find(to.protocol, 0) ?? find(0, 0);
      const isLive =
        found?.life === 'live' || (kind === 'runner' && isDaemonGone && found?.life === 'ended');
      return found !== undefined && isLive ? { rule: found.rule } : undefined;
    },
  };
}

test.each(cases)('$name', (one) => {
  const policy = policyOf(one);
  const now = surroundingsOf(one);
  // The daemon's own traffic is decided by scope alone, in the kernel.
  for (const ask of one.asks.filter(({ scope }) => scope !== 'DAEMON')) {
    const decision = decideConnection(
      policy,
      {
        address: needed(ask.to),
        protocol: numberOf(ask.proto),
        port: ask.port,
        sender:
          ask.scope === 'RUNNER' ? 'runner' : ask.scope === 'PLATFORM' ? 'platform' : 'everyone',
        isOtherNetns: ask.otherNetns ?? false,
      },
      now,
    );
    const by = decision.by.toUpperCase().replaceAll('-', '_');
    const wanted = { verdict: ask.verdict, by: ask.by, ...(ask.rule ? { rule: ask.rule } : {}) };
    expect({ ...decision, by }, JSON.stringify(ask)).toMatchObject(wanted);
  }
});
