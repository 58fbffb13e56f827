// Address prefixes over the 16-byte form: an IPv4 prefix of length n has length 96 + n here.
import { type Address, isIPv4, parseAddress, printAddress } from './address.ts';

const IPV4_BITS = 96;
const MAPPED = parseAddress('::ffff:0.0.0.0') ?? new Uint8Array(16);

/** A prefix of one family; bits behind `length` are zero. */
export interface Prefix {
  readonly address: Address;
  /** 0..128 over the 16 bytes; IPv4 is 96..128. */
  readonly length: number;
}

/** What is wrong with the text of a prefix. */
export type PrefixError =
  | { readonly kind: 'address' }
  | { readonly kind: 'length'; readonly limit: 32 | 128 }
  | { readonly kind: 'host-bits'; readonly corrected: string };

/** The address with every bit behind `length` cleared. */
export function maskAddress(address: Address, length: number): Address {
  return address.map((byte, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
}

function isPrefixOfMapped(prefix: Prefix): boolean {
  return prefix.length < IPV4_BITS && matches(prefix, MAPPED);
}

function matches(prefix: Prefix, address: Address): boolean {
  const masked = maskAddress(address, prefix.length);
  return masked.every((byte, index) => byte === prefix.address[index]);
}

/** Whether `prefix` is IPv4. */
export function isIPv4Prefix(prefix: Prefix): boolean {
  return prefix.length >= IPV4_BITS && isIPv4(prefix.address);
}

/** Whether the prefix contains the address; an IPv6 prefix never contains an IPv4 address. */
export function contains(prefix: Prefix, address: Address): boolean {
  return matches(prefix, address) && isIPv4Prefix(prefix) === isIPv4(address);
}

/** Whether every address of `inner` is in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && contains(outer, inner.address);
}

/** A single address as a prefix. */
export function prefixOf(address: Address): Prefix {
  return { address, length: 128 };
}

/**
 * A prefix from the two sides of its slash; an error names the side that is wrong. A v4-mapped
 * spelling of at least 96 bits is IPv4.
 */
export function parsePrefixParts(addressText: string, lengthText: string): Prefix | PrefixError {
  const address = parseAddress(addressText);
  if (address === undefined) return { kind: 'address' };
  const dotted = !addressText.includes(':');
  const limit = dotted ? 32 : 128;
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > limit) {
    return { kind: 'length', limit };
  }
  const length = dotted ? IPV4_BITS + Number(lengthText) : Number(lengthText);
  const masked = maskAddress(address, length);
  if (masked.some((byte, index) => byte !== address[index])) {
    const corrected =
      length >= IPV4_BITS && isIPv4(masked)
        ? `${printAddress(masked)}/${length - IPV4_BITS}`
        : `${printAddress(masked)}/${length}`;
    return { kind: 'host-bits', corrected };
  }
  return { address, length };
}

/** A prefix or a single address from text; undefined when it is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) {
    const address = parseAddress(text);
    return address && prefixOf(address);
  }
  const parsed = parsePrefixParts(text.slice(0, slash), text.slice(slash + 1));
  return 'kind' in parsed ? undefined : parsed;
}

/** `10.0.0.0/8`, `2001:db8::/32`; a single address without its length. */
export function printPrefix(prefix: Prefix): string {
  const text = printAddress(prefix.address);
  if (prefix.length === 128) return text;
  return `${text}/${isIPv4Prefix(prefix) ? prefix.length - IPV4_BITS : prefix.length}`;
}

/**
 * The prefixes of the 16-byte space that hold exactly the addresses of `prefix`: itself, or, for
 * an IPv6 prefix around the v4-mapped block (`::/0`), its parts without ::ffff:0:0/96.
 */
export function withoutMapped(prefix: Prefix): readonly Prefix[] {
  if (!isPrefixOfMapped(prefix)) return [prefix];
  const parts: Prefix[] = [];
  for (let bit = prefix.length; bit < IPV4_BITS; bit++) {
    const address = maskAddress(MAPPED, bit + 1);
    address[bit >> 3] = (address[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
    parts.push({ address, length: bit + 1 });
  }
  return parts;
}
