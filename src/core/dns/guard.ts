// The rebinding guard's address space (spec 5): where an answer alone never opens anything.
import type { Address } from '../net/address.ts';

type Space = readonly [head: readonly number[], length: number];

const V4_GUARDED: readonly Space[] = [
  [[0], 8],
  [[10], 8],
  [[100, 64], 10],
  [[127], 8],
  [[168, 63, 129, 16], 32],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 0, 0], 24],
  [[192, 168], 16],
  [[198, 18], 15],
  [[224], 3],
];
const V6_GUARDED: readonly Space[] = [
  [Array<number>(16).fill(0), 127], // :: and ::1
  [[0xfc], 7],
  [[0xfe, 0x80], 10],
  [[0xfe, 0xc0], 10],
  [[0xff], 8],
];
const V4_PRIVATE: readonly Space[] = [
  [[10], 8],
  [[172, 16], 12],
  [[192, 168], 16],
  [[100, 64], 10],
];
const V6_PRIVATE: readonly Space[] = [[[0xfc], 7]];
const V6_LINK_LOCAL: Space = [[0xfe, 0x80], 10];
const V4_REMOVED: readonly Space[] = [
  [[0, 0, 0, 0], 32],
  [[127], 8],
  [[169, 254], 16],
];
const V6_REMOVED: readonly Space[] = [[Array<number>(16).fill(0), 127], V6_LINK_LOCAL];
/** Where the IPv4 address of a v4-mapped one stands. */
const V4_AT = 12;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const COMPATIBLE = Array<number>(12).fill(0);
const NAT64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
const NAT64_LOCAL = [0, 0x64, 0xff, 0x9b, 0, 1];
const SIX_TO_FOUR = [0x20, 0x02];

function startsWith(bytes: Uint8Array, head: readonly number[]): boolean {
  for (let index = 0; index < head.length; index++) if (bytes[index] !== head[index]) return false;
  return true;
}

/** Whether the bytes from `from` on are in the space. */
function inSpace(bytes: Uint8Array, from: number, [head, length]: Space): boolean {
  const whole = length >> 3;
  for (let index = 0; index < whole; index++) {
    if (bytes[from + index] !== (head[index] ?? 0)) return false;
  }
  const rest = length & 7;
  if (rest === 0) return true;
  const shift = 8 - rest;
  return (bytes[from + whole] ?? 0) >> shift === (head[whole] ?? 0) >> shift;
}

function inAny(bytes: Uint8Array, spaces: readonly Space[], from = 0): boolean {
  for (const space of spaces) if (inSpace(bytes, from, space)) return true;
  return false;
}

/** The IPv4 address an IPv6 address carries: compatible, NAT64 (RFC 6052, 8215), 6to4. */
function carried(address: Address): Uint8Array | undefined {
  if (startsWith(address, COMPATIBLE) || startsWith(address, NAT64)) return address.subarray(12);
  if (startsWith(address, SIX_TO_FOUR)) return address.subarray(2, 6);
  return undefined;
}

/**
 * Under 64:ff9b:1::/48 the prefix length isn't known: with nothing before the last four bytes it
 * is 96, else every place RFC 6052 2.2 allows is read, and one guarded reading guards.
 */
function carriedInLocalNat64(address: Address): readonly Uint8Array[] {
  if (!startsWith(address, NAT64_LOCAL)) return [];
  const at = (...places: readonly number[]) => Uint8Array.from(places, (i) => address[i] ?? 0);
  const last = at(12, 13, 14, 15);
  if (address.subarray(6, 12).every((byte) => byte === 0)) return [last];
  return [at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), last];
}

function isMapped(address: Address): boolean {
  return startsWith(address, MAPPED);
}

/** Whether an answer with this address yields no grant by itself; `own`: the machine's addresses. */
export function isGuarded(address: Address, own: (address: Address) => boolean): boolean {
  if (own(address)) return true;
  if (isMapped(address)) return inAny(address, V4_GUARDED, V4_AT);
  if (inAny(address, V6_GUARDED)) return true;
  const inner = carried(address);
  if (inner !== undefined && (inAny(inner, V4_GUARDED) || own(mapped(inner)))) return true;
  return carriedInLocalNat64(address).some((v4) => inAny(v4, V4_GUARDED) || own(mapped(v4)));
}

function mapped(v4: Uint8Array): Address {
  const address = new Uint8Array(16);
  address.fill(0xff, 10, 12);
  address.set(v4, 12);
  return address;
}

/** Whether `private: true` can open this address: 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7. */
export function isPrivate(address: Address): boolean {
  return isMapped(address) ? inAny(address, V4_PRIVATE, V4_AT) : inAny(address, V6_PRIVATE);
}

/** Whether the address means nothing without an interface: fe80::/10. */
export function isLinkLocal(address: Address): boolean {
  return inSpace(address, 0, V6_LINK_LOCAL);
}

/** Whether the address is taken out of every answer: loopback, unspecified, link-local, own. */
export function isRemoved(address: Address, own: (address: Address) => boolean): boolean {
  if (own(address)) return true;
  return isMapped(address) ? inAny(address, V4_REMOVED, V4_AT) : inAny(address, V6_REMOVED);
}
