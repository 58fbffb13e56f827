// The reference of the kernel's verdict: bpf/verdict.bpf.h in TypeScript, the same order.
import { type Address, isIPv4, parseAddress, sameAddress } from '../net/address.ts';
import { contains, parsePrefix } from '../net/cidr.ts';
import { has, pairsOf } from '../net/pair-set.ts';
import { PROTOCOL_NUMBERS, type Protocol, protocolOf } from '../net/protocol.ts';
import { type AddressRule, decideAddress, rulesContaining } from './decide-address.ts';
import type { Action, Policy } from './policy.ts';

/** Whose process sends. */
export type Sender = 'everyone' | 'runner' | 'platform';

/** What decided; the members of enum decided_by that a flow can have. */
export type DecidedBy =
  | 'proof'
  | 'local'
  | 'port-53'
  | 'protocol'
  | 'runner-grant'
  | 'rule'
  | 'denial'
  | 'grant'
  | 'auto-rule'
  | 'auto-grant'
  | 'daemon'
  | 'default';

/** A flow about to leave. */
export interface Connection {
  readonly address: Address;
  /** IANA number. */
  readonly protocol: number;
  /** 0 for protocols without ports. */
  readonly port: number;
  readonly sender: Sender;
  /** The socket is of another network namespace than the machine's. */
  readonly isOtherNetns: boolean;
}

/** A live grant or denial. */
export interface LiveGrant {
  /** Id of the rule behind it, 0 when none. */
  readonly rule: number;
}

/** What is true at this moment besides the policy. */
export interface Surroundings {
  /** Length over 16 bytes of the longest local prefix that contains the address. */
  readonly localLength: (address: Address) => number | undefined;
  /** The live entry that covers the connection's pair. */
  readonly grant: (
    kind: 'runner' | 'denial' | 'user' | 'auto',
    to: Connection,
  ) => LiveGrant | undefined;
  /** The daemon has shown no life for too long: the runner is still served. */
  readonly isDaemonGone: boolean;
  /** Where the runner's own questions go while the daemon is gone. */
  readonly upstream: { readonly address: Address; readonly port: number } | undefined;
  /** Whether the address is in a resolver configuration: no rule opens its port 53. */
  readonly isResolver: (address: Address) => boolean;
}

/** Verdict, what made it and the rule's id (0: none). */
export interface ConnectionDecision {
  readonly verdict: Action;
  readonly by: DecidedBy;
  readonly rule: number;
}

const PROOF = ['203.0.113.252', '203.0.113.253', '203.0.113.254', '2001:db8::fffd'];
const CANARY = '203.0.113.254';
const NEVER_LEAVES = ['127.0.0.0/8', '0.0.0.0', '::', '::1'].flatMap(
  (text) => parsePrefix(text) ?? [],
);
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']
  .concat('169.254.0.0/16', 'fe80::/10')
  .flatMap((text) => parsePrefix(text) ?? []);
const PLATFORM = ['169.254.169.254', '168.63.129.16'];

function isOneOf(address: Address, texts: readonly string[]): boolean {
  return texts.some((text) => {
    const other = parseAddress(text);
    return other !== undefined && sameAddress(address, other);
  });
}

/** Length over 16 bytes of the loopback or unspecified prefix that contains the address. */
export function loopbackLength(address: Address): number | undefined {
  return NEVER_LEAVES.find((prefix) => contains(prefix, address))?.length;
}

/** Whether the address is loopback or unspecified: a connection there stays on the machine. */
export function neverLeaves(address: Address): boolean {
  return loopbackLength(address) !== undefined;
}

function isNotSeenHere(address: Address): boolean {
  return PRIVATE.some((prefix) => contains(prefix, address)) && !isOneOf(address, PLATFORM);
}

function decided(verdict: Action, by: DecidedBy, rule = 0): ConnectionDecision {
  return { verdict, by, rule };
}

/** A user rule as the kernel finds it: port 53 and unknown protocols can be denied by rule too. */
function userRule(policy: Policy, to: Connection): AddressRule | undefined {
  const protocol = protocolOf(to.protocol);
  if (protocol !== undefined) return decideAddress(policy, to.address, protocol, to.port);
  return rulesContaining(policy, to.address, 'user').find(
    ({ rule }) => rule.action === 'deny' && rule.ports === null,
  );
}

/** Whether an allow for a single address names port 53 itself. */
export function opensPort53({ rule, prefix }: AddressRule): boolean {
  const isNamed = rule.ports?.some((item) => item.port === 53 && item.protocol !== 'icmp') === true;
  return rule.action === 'allow' && prefix.length === 128 && isNamed;
}

/** Length of the local prefix around the address; metadata addresses are never local. */
function localLength(to: Connection, now: Surroundings): number | undefined {
  if (isOneOf(to.address, PLATFORM)) return undefined;
  return loopbackLength(to.address) ?? now.localLength(to.address);
}

/** Whether the address is the sender's own network, where port 53 is one like any other. */
function isInside(to: Connection, now: Surroundings): boolean {
  return localLength(to, now) !== undefined || (to.isOtherNetns && isNotSeenHere(to.address));
}

/** TCP, UDP, and the ICMP of the address's own family. */
function knownProtocol(to: Connection): Protocol | undefined {
  const protocol = protocolOf(to.protocol);
  if (protocol !== 'icmp') return protocol;
  const own = isIPv4(to.address) ? PROTOCOL_NUMBERS.icmp : PROTOCOL_NUMBERS.icmpv6;
  return to.protocol === own ? protocol : undefined;
}

function decideLocal(to: Connection, user: AddressRule | undefined, now: Surroundings): boolean {
  const local = localLength(to, now);
  const isDenied = user?.rule.action === 'deny';
  if (local !== undefined) return !(isDenied && user.prefix.length >= local);
  return to.isOtherNetns && isNotSeenHere(to.address) && !isDenied;
}

function decidePort53(
  to: Connection,
  user: AddressRule | undefined,
  now: Surroundings,
): ConnectionDecision {
  if (user !== undefined && opensPort53(user) && !now.isResolver(to.address)) {
    return decided('allow', 'rule', user.rule.id);
  }
  return decided('deny', 'port-53');
}

/** Whether this is how runner processes ask while the daemon is gone. */
function isWayOut(to: Connection, now: Surroundings): boolean {
  const { upstream } = now;
  const isDns = protocolOf(to.protocol) === 'tcp' || protocolOf(to.protocol) === 'udp';
  return (
    to.sender === 'runner' &&
    now.isDaemonGone &&
    isDns &&
    upstream !== undefined &&
    upstream.port === to.port &&
    sameAddress(to.address, upstream.address)
  );
}

function decideByGrants(policy: Policy, to: Connection, now: Surroundings): ConnectionDecision {
  const denial = now.grant('denial', to);
  if (denial !== undefined) return decided('deny', 'denial', denial.rule);
  const grant = now.grant('user', to);
  if (grant !== undefined) return decided('allow', 'grant', grant.rule);
  const protocol = protocolOf(to.protocol);
  const auto =
    protocol === undefined || to.sender === 'everyone'
      ? undefined
      : decideAddress(policy, to.address, protocol, to.port, 'auto');
  if (auto !== undefined) return decided(auto.rule.action, 'auto-rule', auto.rule.id);
  const autoGrant = now.grant('auto', to);
  if (autoGrant !== undefined) return decided('allow', 'auto-grant', autoGrant.rule);
  return decided(policy.default, 'default');
}

/** Decides a new flow of any process but the daemon's, first that applies. */
export function decideConnection(
  policy: Policy,
  to: Connection,
  now: Surroundings,
): ConnectionDecision {
  if (isOneOf(to.address, PROOF)) {
    const isCanary = isOneOf(to.address, [CANARY]) && to.protocol === 6;
    return decided(isCanary && now.grant('user', to) !== undefined ? 'allow' : 'deny', 'proof');
  }
  const user = userRule(policy, to);
  if (decideLocal(to, user, now)) return decided('allow', 'local');
  if (isWayOut(to, now)) return decided('allow', 'daemon');
  const protocol = knownProtocol(to);
  const isStreamOrDatagram = protocol === 'tcp' || protocol === 'udp';
  if (to.port === 53 && isStreamOrDatagram && !isInside(to, now)) {
    return decidePort53(to, user, now);
  }
  if (protocol === undefined) return decided('deny', 'protocol');
  const runner = to.sender === 'runner' ? now.grant('runner', to) : undefined;
  if (runner !== undefined) return decided('allow', 'runner-grant', runner.rule);
  if (user !== undefined && has(pairsOf(user.rule.ports, user.rule.action), protocol, to.port)) {
    return decided(user.rule.action, 'rule', user.rule.id);
  }
  return decideByGrants(policy, to, now);
}
