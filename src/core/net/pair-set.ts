// Sets of (protocol, port) pairs: what a rule covers, what a grant opens. Ports are 1..65535;
// ICMP is one pair without a port.
import type { Protocol } from './protocol.ts';

/** A set of ports: those listed, or all but those listed; lists are sorted and without repeats. */
export type PortSet =
  | { readonly kind: 'some'; readonly ports: readonly number[] }
  | { readonly kind: 'allBut'; readonly ports: readonly number[] };

/** A set of (protocol, port) pairs. */
export interface PairSet {
  readonly tcp: PortSet;
  readonly udp: PortSet;
  readonly icmp: boolean;
}

/** One item of a rule's ports; `both` is TCP and UDP, ICMP has port 0. */
export interface PortItem {
  readonly port: number;
  readonly protocol: Protocol | 'both';
}

/** A run of ports of one protocol, both ends included; ICMP is 0 to 0. */
export interface PortRange {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

const NO_PORTS: PortSet = { kind: 'some', ports: [] };
const ALL_PORTS: PortSet = { kind: 'allBut', ports: [] };
const LAST_PORT = 65535;

/** The set without any pair. */
export function emptyPairs(): PairSet {
  return { tcp: NO_PORTS, udp: NO_PORTS, icmp: false };
}

/** Every port of TCP and UDP: what an allow without ports covers. */
export function everyPort(): PairSet {
  return { tcp: ALL_PORTS, udp: ALL_PORTS, icmp: false };
}

/** Every pair, ICMP too: what a deny without ports covers. */
export function everyPair(): PairSet {
  return { tcp: ALL_PORTS, udp: ALL_PORTS, icmp: true };
}

function some(ports: Iterable<number>): PortSet {
  return { kind: 'some', ports: [...new Set(ports)].sort((a, b) => a - b) };
}

function allBut(ports: Iterable<number>): PortSet {
  return { kind: 'allBut', ports: [...new Set(ports)].sort((a, b) => a - b) };
}

function complement(set: PortSet): PortSet {
  return { kind: set.kind === 'some' ? 'allBut' : 'some', ports: set.ports };
}

function hasPort(set: PortSet, port: number): boolean {
  return set.ports.includes(port) === (set.kind === 'some');
}

function intersectPorts(a: PortSet, b: PortSet): PortSet {
  if (a.kind === 'some') return some(a.ports.filter((port) => hasPort(b, port)));
  if (b.kind === 'some') return some(b.ports.filter((port) => hasPort(a, port)));
  return allBut([...a.ports, ...b.ports]);
}

function unionPorts(a: PortSet, b: PortSet): PortSet {
  return complement(intersectPorts(complement(a), complement(b)));
}

/** The pairs in `a` or in `b`. */
export function union(a: PairSet, b: PairSet): PairSet {
  return {
    tcp: unionPorts(a.tcp, b.tcp),
    udp: unionPorts(a.udp, b.udp),
    icmp: a.icmp || b.icmp,
  };
}

/** The pairs in `a` and in `b`. */
export function intersect(a: PairSet, b: PairSet): PairSet {
  return {
    tcp: intersectPorts(a.tcp, b.tcp),
    udp: intersectPorts(a.udp, b.udp),
    icmp: a.icmp && b.icmp,
  };
}

/** The pairs in `a` that are not in `b`. */
export function subtract(a: PairSet, b: PairSet): PairSet {
  return intersect(a, { tcp: complement(b.tcp), udp: complement(b.udp), icmp: !b.icmp });
}

function isEmptyPorts(set: PortSet): boolean {
  return set.kind === 'some' ? set.ports.length === 0 : set.ports.length === LAST_PORT;
}

/** Whether the set has no pair. */
export function isEmpty(set: PairSet): boolean {
  return isEmptyPorts(set.tcp) && isEmptyPorts(set.udp) && !set.icmp;
}

/** Whether the pair is in the set; the port is ignored for ICMP. */
export function has(set: PairSet, protocol: Protocol, port: number): boolean {
  return protocol === 'icmp' ? set.icmp : hasPort(set[protocol], port);
}

/** What a rule covers: `null` is every port, and for a deny every protocol. */
export function pairsOf(ports: readonly PortItem[] | null, action: 'allow' | 'deny'): PairSet {
  if (ports === null) return action === 'deny' ? everyPair() : everyPort();
  const of = (protocol: Protocol) =>
    ports.filter((item) => item.protocol === protocol || item.protocol === 'both');
  const portsOf = (protocol: 'tcp' | 'udp') =>
    some(
      of(protocol)
        .map((item) => item.port)
        .filter((port) => port > 0),
    );
  return {
    tcp: portsOf('tcp'),
    udp: portsOf('udp'),
    icmp: ports.some((item) => item.protocol === 'icmp'),
  };
}

/** The set as maximal runs of ports, TCP before UDP before ICMP. */
export function rangesOf(set: PairSet): readonly PortRange[] {
  const ranges: PortRange[] = [];
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const [from, to] of runs(set[protocol])) ranges.push({ protocol, from, to });
  }
  if (set.icmp) ranges.push({ protocol: 'icmp', from: 0, to: 0 });
  return ranges;
}

function runs(set: PortSet): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  if (set.kind === 'allBut') {
    let from = 1;
    for (const port of [...set.ports, LAST_PORT + 1]) {
      if (port > from) found.push([from, port - 1]);
      from = port + 1;
    }
    return found;
  }
  for (const port of set.ports) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === port - 1) last[1] = port;
    else found.push([port, port]);
  }
  return found;
}
