// Which address rule decides an address, per (protocol, port): the longest prefix that covers the
// pair, deny at equal length.
import { type Address, addressKey } from '../net/address.ts';
import { contains, maskAddress, type Prefix, parsePrefix } from '../net/cidr.ts';
import { has, pairsOf } from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';
import type { Policy, Rule } from './policy.ts';

/** An address rule with its prefix. */
export interface AddressRule {
  readonly rule: Rule;
  readonly prefix: Prefix;
}

/** Rules by length of their prefix, the longest first, and by the prefix itself. */
interface AddressIndex {
  readonly all: readonly AddressRule[];
  readonly byLength: readonly (readonly [number, ReadonlyMap<string, readonly AddressRule[]>])[];
}

// Derived from an immutable policy and nothing else: remembering it changes no answer.
const indexes = new WeakMap<Policy, AddressIndex>();

/** Ranks a before b when it decides: longer, deny, then id. */
function compareRules(a: AddressRule, b: AddressRule): number {
  const byLength = b.prefix.length - a.prefix.length;
  const byAction = Number(b.rule.action === 'deny') - Number(a.rule.action === 'deny');
  return byLength || byAction || a.rule.id - b.rule.id;
}

function indexOf(policy: Policy): AddressIndex {
  const known = indexes.get(policy);
  if (known !== undefined) return known;
  const all = policy.rules.flatMap((rule) => {
    const prefix = rule.target.kind === 'prefix' ? parsePrefix(rule.target.text) : undefined;
    return prefix === undefined ? [] : [{ rule, prefix }];
  });
  all.sort(compareRules);
  const byLength = new Map<number, Map<string, AddressRule[]>>();
  for (const one of all) {
    const { length, address } = one.prefix;
    const same = byLength.get(length) ?? new Map<string, AddressRule[]>();
    const key = addressKey(address);
    same.set(key, [...(same.get(key) ?? []), one]);
    byLength.set(length, same);
  }
  const index = { all, byLength: [...byLength] };
  indexes.set(policy, index);
  return index;
}

/** The policy's address rules, the first to be asked first; remembered per policy value. */
export function addressRules(policy: Policy): readonly AddressRule[] {
  return indexOf(policy).all;
}

/** The user's or the auto-allowed address rules that contain the address, the first to be asked first. */
export function rulesContaining(
  policy: Policy,
  address: Address,
  group: 'user' | 'auto',
): readonly AddressRule[] {
  const found: AddressRule[] = [];
  for (const [length, prefixes] of indexOf(policy).byLength) {
    for (const one of prefixes.get(addressKey(maskAddress(address, length))) ?? []) {
      const isOfGroup = (one.rule.autoAllowedType === undefined) === (group === 'user');
      if (isOfGroup && contains(one.prefix, address)) found.push(one);
    }
  }
  return found;
}

/** The deciding rule of a group; undefined when none covers the pair. ICMP has port 0. */
export function decideAddress(
  policy: Policy,
  address: Address,
  protocol: Protocol,
  port: number,
  group: 'user' | 'auto' = 'user',
): AddressRule | undefined {
  return rulesContaining(policy, address, group).find(({ rule }) =>
    has(pairsOf(rule.ports, rule.action), protocol, port),
  );
}
