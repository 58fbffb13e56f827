// The data of the record types we answer, with every compressed name written out, so that it can
// stand in an answer of ours (RFC 1035 3.3, RFC 2782, RFC 9460 2.2).
import { TYPE } from './codes.ts';
import { DnsDecodeError } from './dns-decode-error.ts';
import { encodeName, readName } from './name.ts';
import type { RecordData } from './record.ts';

const SVC_MANDATORY = 0;
const SVC_STRIPPED: ReadonlySet<number> = new Set([4, 5, 6]); // ipv4hint, ech, ipv6hint

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

interface NameAt {
  readonly bytes: Uint8Array;
  readonly next: number;
}

function expandedName(message: Uint8Array, at: number, end: number): NameAt {
  const { name, next } = readName(message, at);
  if (next > end) throw new DnsDecodeError('record', 'a name runs past its record');
  return { bytes: encodeName(name), next };
}

/** A fixed part, one or two names, a fixed rest: MX, SRV, NS, PTR, SOA. */
function expanded(
  message: Uint8Array,
  span: { at: number; end: number; before: number; names: number; after: number },
): Uint8Array {
  const parts: Uint8Array[] = [message.slice(span.at, span.at + span.before)];
  let at = span.at + span.before;
  for (let count = 0; count < span.names; count++) {
    if (at >= span.end) throw new DnsDecodeError('record', 'a record is too short for its type');
    const name = expandedName(message, at, span.end);
    parts.push(name.bytes);
    at = name.next;
  }
  if (at + span.after !== span.end) {
    throw new DnsDecodeError('record', 'a record is not as long as its type says');
  }
  parts.push(message.slice(at, span.end));
  return joined(parts);
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function strippedMandatory(value: Uint8Array): Uint8Array | undefined {
  const kept: Uint8Array[] = [];
  for (let at = 0; at + 1 < value.length; at += 2) {
    if (!SVC_STRIPPED.has(uint16(value, at))) kept.push(value.slice(at, at + 2));
  }
  return kept.length === 0 ? undefined : joined(kept);
}

function parameter(key: number, value: Uint8Array): Uint8Array {
  const head = Uint8Array.of(key >> 8, key & 0xff, value.length >> 8, value.length & 0xff);
  return joined([head, value]);
}

/** SVCB and HTTPS without the parameters that carry addresses or hide the name (spec 7, Gate). */
function strippedService(message: Uint8Array, start: number, end: number): Uint8Array {
  if (start + 3 > end) throw new DnsDecodeError('record', 'a service record is too short');
  const target = expandedName(message, start + 2, end);
  const parts: Uint8Array[] = [message.slice(start, start + 2), target.bytes];
  let at = target.next;
  while (at < end) {
    const key = uint16(message, at);
    const size = uint16(message, at + 2);
    if (at + 4 + size > end) throw new DnsDecodeError('record', 'a service parameter is cut off');
    const value = message.slice(at + 4, at + 4 + size);
    const kept = key === SVC_MANDATORY ? strippedMandatory(value) : value;
    if (kept !== undefined && !SVC_STRIPPED.has(key)) parts.push(parameter(key, kept));
    at += 4 + size;
  }
  return joined(parts);
}

/** TXT is character strings that fill the record exactly (RFC 1035 3.3.14). */
function checkedText(rdata: Uint8Array): Uint8Array {
  let at = 0;
  while (at < rdata.length) at += 1 + (rdata[at] ?? 0);
  if (at !== rdata.length || at === 0) throw new DnsDecodeError('record', 'a text is cut off');
  return rdata;
}

function addressData(message: Uint8Array, start: number, end: number, size: number): RecordData {
  if (end - start !== size) throw new DnsDecodeError('record', 'an address of the wrong length');
  const address = new Uint8Array(16);
  if (size === 4) address.fill(0xff, 10, 12);
  address.set(message.subarray(start, end), 16 - size);
  return { kind: 'address', address };
}

/** Decodes one record's data; types we never answer are `other`; errors: DnsDecodeError `record`. */
export function decodeRdata(
  message: Uint8Array,
  type: number,
  start: number,
  end: number,
): RecordData {
  const names = (before: number, count: number, after: number): RecordData => ({
    kind: 'raw',
    rdata: expanded(message, { at: start, end, before, names: count, after }),
  });
  switch (type) {
    case TYPE.A:
      return addressData(message, start, end, 4);
    case TYPE.AAAA:
      return addressData(message, start, end, 16);
    case TYPE.CNAME: {
      const { name, next } = readName(message, start);
      if (next !== end) throw new DnsDecodeError('record', 'an alias does not fill its record');
      return { kind: 'alias', target: name };
    }
    case TYPE.NS:
    case TYPE.PTR:
      return names(0, 1, 0);
    case TYPE.MX:
      return names(2, 1, 0);
    case TYPE.SRV:
      return names(6, 1, 0);
    case TYPE.SOA:
      return names(0, 2, 20);
    case TYPE.TXT:
      return { kind: 'raw', rdata: checkedText(message.slice(start, end)) };
    case TYPE.SVCB:
    case TYPE.HTTPS:
      return { kind: 'raw', rdata: strippedService(message, start, end) };
    default:
      return { kind: 'other' };
  }
}
