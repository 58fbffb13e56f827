// Policy -> what the kernel needs: the rules trie. Names have no entries here, they become grants.
import { type Address, addressKey } from '../net/address.ts';
import { isIPv4Prefix, prefixOf, withoutMapped } from '../net/cidr.ts';
import type { PortItem } from '../net/pair-set.ts';
import { PROTOCOL_NUMBERS } from '../net/protocol.ts';
import { type AddressRule, addressRules } from './decide-address.ts';
import { KERNEL, type RuleEntry, ruleWrite } from './kernel-entries.ts';
import type { MapWrite } from './map-write.ts';
import type { Policy } from './policy.ts';

interface KernelPair {
  readonly proto: number;
  readonly port: number;
}

const { tcp, udp, icmp, icmpv6 } = PROTOCOL_NUMBERS;

function pairsOfItem(item: PortItem, isV4: boolean): readonly KernelPair[] {
  if (item.protocol === 'icmp') return [{ proto: isV4 ? icmp : icmpv6, port: 0 }];
  const protos = item.protocol === 'both' ? [tcp, udp] : [PROTOCOL_NUMBERS[item.protocol]];
  return protos.map((proto) => ({ proto, port: item.port }));
}

function kernelPairs({ rule, prefix }: AddressRule): readonly KernelPair[] {
  if (rule.ports !== null) {
    return rule.ports.flatMap((item) => pairsOfItem(item, isIPv4Prefix(prefix)));
  }
  if (rule.action === 'deny') return [{ proto: 0, port: 0 }];
  return [tcp, udp].map((proto) => ({ proto, port: 0 }));
}

/** The user's rules are everyone's; auto-allowed addresses the runner's and the platform's, leases DHCP clients' too. */
function scopesOf({ rule }: AddressRule): readonly Pick<RuleEntry, 'scope' | 'kind'>[] {
  if (rule.autoAllowedType === undefined) {
    return [{ scope: KERNEL.scopeEveryone, kind: KERNEL.kindUser }];
  }
  const { scopeRunner, scopePlatform, scopeLease, kindAuto } = KERNEL;
  const lease = rule.autoAllowedType === 'dhcp' ? [scopeLease] : [];
  return [scopeRunner, scopePlatform, ...lease].map((scope) => ({ scope, kind: kindAuto }));
}

function entriesOf(address: AddressRule): readonly RuleEntry[] {
  const { rule, prefix } = address;
  const keys = withoutMapped(prefix);
  return scopesOf(address).flatMap((scope) =>
    kernelPairs(address).flatMap((pair) =>
      keys.map((key) => ({
        ...scope,
        ...pair,
        key,
        length: prefix.length,
        rule: rule.id,
        isAllow: rule.action === 'allow',
      })),
    ),
  );
}

function entryKey({ scope, kind, proto, port, key }: RuleEntry): string {
  return `${scope} ${kind} ${proto} ${port} ${key.length} ${addressKey(key.address)}`;
}

/**
 * The writes of a policy's address rules. Of entries for one key the first in deciding order
 * stays: the longest own prefix, deny before allow.
 */
export function compilePolicy(policy: Policy): readonly MapWrite[] {
  const entries = new Map<string, RuleEntry>();
  for (const entry of addressRules(policy).flatMap(entriesOf)) {
    const key = entryKey(entry);
    if (!entries.has(key)) entries.set(key, entry);
  }
  return [...entries.values()].map(ruleWrite);
}

/** The writes that let the daemon, and nobody else, reach its upstream resolvers. */
export function compileUpstreams(
  upstreams: readonly { readonly address: Address; readonly port: number }[],
): readonly MapWrite[] {
  return upstreams.flatMap(({ address, port }) =>
    [udp, tcp].map((proto) =>
      ruleWrite({
        scope: KERNEL.scopeDaemon,
        kind: KERNEL.kindAuto,
        proto,
        port,
        key: prefixOf(address),
        length: 128,
        rule: 0,
        isAllow: true,
      }),
    ),
  );
}
