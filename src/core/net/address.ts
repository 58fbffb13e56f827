// IP addresses in one canonical form: 16 bytes in network order, IPv4 as v4-mapped
// (::ffff:a.b.c.d, RFC 4291 2.5.5.2).

/** 16 bytes in network order; IPv4 is v4-mapped. */
export type Address = Uint8Array;

const ADDRESS_SIZE = 16;
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;

function parseIPv4Bytes(text: string): readonly number[] | undefined {
  const parts = IPV4.exec(text)?.slice(1).map(Number);
  return parts?.every((part) => part <= 255) ? parts : undefined;
}

/** The v4-mapped address of a number as in 10.1.2.3 = 0x0A010203. */
export function addressFromNumber(value: number): Address {
  const address = new Uint8Array(ADDRESS_SIZE);
  address[10] = 0xff;
  address[11] = 0xff;
  for (let at = 0; at < 4; at++) address[12 + at] = value >>> (24 - 8 * at);
  return address;
}

/** 16-bit groups of colon-separated text, an IPv4 tail counting as two; undefined when wrong. */
function parseGroups(text: string, mayEndInIPv4: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const bytes = mayEndInIPv4 && index === parts.length - 1 ? parseIPv4Bytes(part) : undefined;
    if (bytes !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function parseIPv6Groups(text: string): readonly number[] | undefined {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? groups : undefined;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...Array<number>(zeros).fill(0), ...tail];
}

/**
 * An address from plain dotted decimal (no leading zeros) or RFC 4291 2.2 text without zone and
 * brackets; undefined for anything else. v4-mapped spellings are the IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  const bytes = parseIPv4Bytes(text);
  if (bytes !== undefined) {
    const address = addressFromNumber(0);
    address.set(bytes, 12);
    return address;
  }
  if (!text.includes(':')) return undefined;
  const groups = parseIPv6Groups(text);
  return groups && Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Whether the address is IPv4, that is v4-mapped. */
export function isIPv4(address: Address): boolean {
  if (address[10] !== 0xff || address[11] !== 0xff) return false;
  for (let at = 0; at < 10; at++) if (address[at] !== 0) return false;
  return true;
}

/** Start and length of the first longest run of at least two zero groups (RFC 5952 4.2). */
function longestZeros(groups: readonly number[]): {
  readonly start: number;
  readonly length: number;
} {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** Dotted decimal for IPv4, RFC 5952 for IPv6. */
export function printAddress(address: Address): string {
  if (isIPv4(address)) return `${address[12]}.${address[13]}.${address[14]}.${address[15]}`;
  const view = new DataView(address.buffer, address.byteOffset, ADDRESS_SIZE);
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2));
  const print = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  const { start, length } = longestZeros(groups);
  if (start < 0) return print(groups);
  return `${print(groups.slice(0, start))}::${print(groups.slice(start + length))}`;
}

/** A key for Map and Set: equal exactly for equal addresses. */
export function addressKey(address: Address): string {
  const pair = (at: number) => ((address[at] ?? 0) << 8) | (address[at + 1] ?? 0);
  // one call with numbers: spreading the bytes costs several times as much
  return String.fromCharCode(
    pair(0),
    pair(2),
    pair(4),
    pair(6),
    pair(8),
    pair(10),
    pair(12),
    pair(14),
  );
}

/** The address of a key. */
export function addressOfKey(key: string): Address {
  const address = new Uint8Array(ADDRESS_SIZE);
  for (let at = 0; at < ADDRESS_SIZE; at++) {
    address[at] = key.charCodeAt(at >> 1) >> (at % 2 === 0 ? 8 : 0);
  }
  return address;
}

/** Whether two addresses are the same. */
export function sameAddress(one: Address, other: Address): boolean {
  return one.every((byte, index) => byte === other[index]);
}
