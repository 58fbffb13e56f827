// Domain names between wire form (RFC 1035 3.1, 4.1.4) and text. The text is lower-case and
// lossless: a byte that isn't plain in a label stands as \DDD (RFC 4343 2.1), a dot inside a
// label too, so splitting at dots always yields the labels that were on the wire.
import { DnsDecodeError } from './dns-decode-error.ts';

const MAX_NAME = 255;
const POINTER = 0xc0;
const HEADER_SIZE = 12;
/** More than a name of 127 labels needs in practice; long chains of pointers cost time and say nothing. */
const MAX_POINTERS = 64;

/** A name read from a message and the offset behind its first appearance. */
export interface ReadName {
  readonly name: string;
  readonly next: number;
}

const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Adds a label's text, as character codes; all of it is ASCII. */
function addLabel(codes: number[], bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x61 && byte <= 0x7a) codes.push(byte);
    else if (byte >= 0x41 && byte <= 0x5a) codes.push(byte + 0x20);
    else if (byte > 0x20 && byte < 0x7f && byte !== DOT && byte !== BACKSLASH) codes.push(byte);
    else {
      const digits = String(byte).padStart(3, '0');
      codes.push(BACKSLASH, ...[0, 1, 2].map((index) => digits.charCodeAt(index)));
    }
  }
}

/** Where a pointer leads: strictly backwards and behind the header, so that no input loops. */
function pointerTarget(bytes: Uint8Array, at: number, limit: number): number {
  const low = bytes[at + 1];
  if (low === undefined) throw new DnsDecodeError('name', 'a pointer is cut off');
  const target = (((bytes[at] ?? 0) & 0x3f) << 8) | low;
  if (target < HEADER_SIZE || target >= limit) {
    throw new DnsDecodeError('name', 'a pointer does not lead to a prior name');
  }
  return target;
}

function checkLabel(bytes: Uint8Array, at: number, length: number, size: number): void {
  if (length > 63) throw new DnsDecodeError('name', 'a label type is not known');
  if (size > MAX_NAME) throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
  if (at + 1 + length > bytes.length) throw new DnsDecodeError('name', 'a label is cut off');
}

/** Reads a name at `offset`; errors: DnsDecodeError `name`. */
export function readName(bytes: Uint8Array, offset: number): ReadName {
  const codes: number[] = [];
  let at = offset;
  let limit = offset;
  let next: number | undefined;
  let size = 1;
  let pointers = 0;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw new DnsDecodeError('name', 'a name runs past the end');
    if (length === 0) break;
    if (length >= POINTER) {
      if (++pointers > MAX_POINTERS)
        throw new DnsDecodeError('name', 'a name has too many pointers');
      limit = pointerTarget(bytes, at, limit);
      next ??= at + 2;
      at = limit;
      continue;
    }
    size += length + 1;
    checkLabel(bytes, at, length, size);
    if (codes.length > 0) codes.push(DOT);
    addLabel(codes, bytes, at + 1, at + 1 + length);
    at += 1 + length;
  }
  return { name: String.fromCharCode.apply(null, codes), next: next ?? at + 1 };
}

function endLabel(bytes: Uint8Array, start: number, end: number): void {
  const length = end - start - 1;
  if (length === 0 || length > 63) {
    throw new DnsDecodeError('name', 'a label is empty or longer than 63 bytes');
  }
  bytes[start] = length;
}

/** A name being made; longer than any, so that each byte is written before it is counted. */
const scratch = new Uint8Array(2 * MAX_NAME);

/** A name in wire form, uncompressed; errors: DnsDecodeError `name` when it has no wire form. */
export function encodeName(name: string): Uint8Array {
  if (name === '' || name === '.') return Uint8Array.of(0);
  let label = 0;
  let end = 1;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === DOT) {
      endLabel(scratch, label, end);
      label = end++;
    } else if (code === BACKSLASH) {
      scratch[end++] = Number.parseInt(name.slice(at + 1, at + 4), 10);
      at += 3;
    } else scratch[end++] = code;
    if (end > MAX_NAME) throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
  }
  endLabel(scratch, label, end);
  scratch[end++] = 0;
  if (end > MAX_NAME) throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
  return scratch.slice(0, end);
}

/** Whether `name` has at least one label more than `suffix` and ends in it. */
export function isBelow(name: string, suffix: string): boolean {
  return name.length > suffix.length + 1 && name.endsWith(`.${suffix}`);
}
