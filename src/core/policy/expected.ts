// Known noise (`expected-blocks`): which refusals a user expects. Marks records and nothing else;
// no verdict asks it.
import type { Address } from '../net/address.ts';
import { protocolOf } from '../net/protocol.ts';
import { decideAddress, rulesContaining } from './decide-address.ts';
import { decideName } from './decide-name.ts';
import type { Policy } from './policy.ts';

/** What was refused. */
export interface RefusedFlow {
  /** The name the record shows, or undefined. */
  readonly name: string | undefined;
  readonly address: Address | undefined;
  /** IANA number. */
  readonly protocol: number;
  /** 0 for protocols without ports. */
  readonly port: number;
}

const asPolicies = new WeakMap<Policy, Policy>();

/** The entries as a policy of their own, so that the one matcher of rules reads them. */
function expectedPolicy(policy: Policy): Policy {
  const known = asPolicies.get(policy);
  if (known !== undefined) return known;
  const { searchDomains, expectedBlocks: rules } = policy;
  const made: Policy = { default: 'allow', rules, searchDomains, expectedBlocks: [] };
  asPolicies.set(policy, made);
  return made;
}

/** Whether a refused question was for an expected name, on whichever port. */
export function isExpectedName(policy: Policy, name: string): boolean {
  if (policy.expectedBlocks.length === 0) return false;
  return decideName(expectedPolicy(policy), name, { runner: false }).rules.length > 0;
}

/** Whether a refused flow was one of the expected ones, by its name or its address. */
export function isExpectedFlow(policy: Policy, flow: RefusedFlow): boolean {
  if (policy.expectedBlocks.length === 0) return false;
  const expected = expectedPolicy(policy);
  const { name, address, port } = flow;
  const protocol = protocolOf(flow.protocol);
  const ofName = name === undefined ? undefined : decideName(expected, name, { runner: false });
  if (protocol !== undefined) {
    if (ofName !== undefined && ofName.byPair(protocol, port).rule !== null) return true;
    return address !== undefined && decideAddress(expected, address, protocol, port) !== undefined;
  }
  // Only an entry without ports speaks of protocols other than TCP, UDP and ICMP.
  if (ofName?.rules.some((rule) => rule.ports === null) === true) return true;
  const ofAddress = address === undefined ? [] : rulesContaining(expected, address, 'user');
  return ofAddress.some(({ rule }) => rule.ports === null);
}
