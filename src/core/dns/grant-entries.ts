// The kernel entries that say exactly what the live grants of one address say together
// (bpf/abi.h, struct grant_key): an exact entry decides alone, so its expiry is the latest of all
// grants that cover the pair, and a pair that a wider entry must not admit gets a hole.
import { has, type PairSet, type PortSet } from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';

/** One name's claim on one address: pairs until a time, by a rule. */
export interface Claim {
  readonly pairs: PairSet;
  readonly expiresAtMs: number;
  readonly rule: number;
  readonly name: number;
}

/** An entry of the grants map without scope, kind and address; `expiresAtMs` 0 is a hole. */
export interface GrantEntry {
  readonly protocol: Protocol;
  /** 0 is every port. */
  readonly port: number;
  readonly expiresAtMs: number;
  readonly rule: number;
  readonly name: number;
}

const HOLE = { expiresAtMs: 0, rule: 0, name: 0 } as const;

function latest(claims: readonly Claim[]): Claim | undefined {
  let best: Claim | undefined;
  for (const claim of claims) {
    if (best === undefined || claim.expiresAtMs >= best.expiresAtMs) best = claim;
  }
  return best;
}

function entry(protocol: Protocol, port: number, claim: Omit<Claim, 'pairs'>): GrantEntry {
  const { expiresAtMs, rule, name } = claim;
  return { protocol, port, expiresAtMs, rule, name };
}

function entriesOfPorts(protocol: 'tcp' | 'udp', claims: readonly Claim[]): readonly GrantEntry[] {
  const portsOf = (claim: Claim): PortSet => claim.pairs[protocol];
  const [first] = claims;
  if (first !== undefined && claims.length === 1 && portsOf(first).kind === 'some') {
    return portsOf(first).ports.map((port) => entry(protocol, port, first));
  }
  const wide = latest(claims.filter((claim) => portsOf(claim).kind === 'allBut'));
  const named = new Set(claims.flatMap((claim) => portsOf(claim).ports));
  const entries: GrantEntry[] = [];
  for (const port of [...named].sort((a, b) => a - b)) {
    const best = latest(claims.filter((claim) => has(claim.pairs, protocol, port)));
    if (best !== undefined && best === wide) continue;
    if (best !== undefined) entries.push(entry(protocol, port, best));
    else if (wide !== undefined) entries.push(entry(protocol, port, HOLE));
  }
  // Behind its holes, so that it never admits a pair for the moment between two writes.
  if (wide !== undefined) entries.push(entry(protocol, 0, wide));
  return entries;
}

/** The entries of all live claims on one address within one scope and kind. */
export function grantEntries(claims: readonly Claim[]): readonly GrantEntry[] {
  const icmp = latest(claims.filter((claim) => claim.pairs.icmp));
  return [
    ...entriesOfPorts('tcp', claims),
    ...entriesOfPorts('udp', claims),
    ...(icmp === undefined ? [] : [entry('icmp', 0, icmp)]),
  ];
}
