// Which address rule decides an address, per (protocol, port): the longest prefix that covers the
// pair, deny at equal length.
import type { Address } from '../net/address.ts';
import { contains, type Prefix, parsePrefix } from '../net/cidr.ts';
import { has, pairsOf } from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';
import type { Policy, Rule } from './policy.ts';

/** An address rule with its prefix. */
export interface AddressRule {
  readonly rule: Rule;
  readonly prefix: Prefix;
}

const indexes = new WeakMap<Policy, readonly AddressRule[]>();

/** Ranks a before b when it decides: longer, deny, then text and id. */
function compareRules(a: AddressRule, b: AddressRule): number {
  const byLength = b.prefix.length - a.prefix.length;
  const byAction = Number(b.rule.action === 'deny') - Number(a.rule.action === 'deny');
  return byLength || byAction || a.rule.id - b.rule.id;
}

/** The policy's address rules, the first to be asked first; remembered per policy value. */
export function addressRules(policy: Policy): readonly AddressRule[] {
  const known = indexes.get(policy);
  if (known !== undefined) return known;
  const rules = policy.rules.flatMap((rule) => {
    const prefix = rule.target.kind === 'prefix' ? parsePrefix(rule.target.text) : undefined;
    return prefix === undefined ? [] : [{ rule, prefix }];
  });
  rules.sort(compareRules);
  indexes.set(policy, rules);
  return rules;
}

/** The user's or the auto-allowed address rules that contain the address, the first to be asked first. */
export function rulesContaining(
  policy: Policy,
  address: Address,
  group: 'user' | 'auto',
): readonly AddressRule[] {
  return addressRules(policy).filter(
    ({ rule, prefix }) =>
      (rule.autoAllowedType === undefined) === (group === 'user') && contains(prefix, address),
  );
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
