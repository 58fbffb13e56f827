// A strict view over DNS messages (RFC 1035 4, RFC 6891 6): one question, the records we use,
// every read inside the message. Whatever is malformed is refused whole, never half used.
import { CLASS_IN, FLAG, TYPE } from './codes.ts';
import { DnsDecodeError } from './dns-decode-error.ts';
import { readName } from './name.ts';
import { decodeRdata } from './rdata.ts';
import type { ResourceRecord } from './record.ts';

/** The 12 bytes in front of every message; `flags` as on the wire. */
export interface Header {
  readonly id: number;
  readonly flags: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly truncated: boolean;
  readonly rcode: number;
  readonly questions: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
}

/** What a client's or an upstream's OPT record says (RFC 6891 6.1). */
export interface Opt {
  readonly udpSize: number;
  readonly version: number;
  readonly extendedRcode: number;
}

/** A question; `name` is lower-case text, `raw` the bytes as they came. */
export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly raw: Uint8Array;
}

/** One well-formed query. */
export interface Query {
  readonly id: number;
  readonly flags: number;
  readonly question: Question;
  readonly opt: Opt | undefined;
}

/** One well-formed response; `rcode` includes the extension; `negativeTtl` of its SOA, seconds. */
export interface Response {
  readonly id: number;
  readonly rcode: number;
  readonly truncated: boolean;
  readonly question: Question;
  readonly answers: readonly ResourceRecord[];
  readonly negativeTtl: number | undefined;
}

/** Reads a big-endian 16-bit number; errors: DnsDecodeError `short`. */
export function readUint16(bytes: Uint8Array, at: number): number {
  const high = bytes[at];
  const low = bytes[at + 1];
  if (high === undefined || low === undefined) throw new DnsDecodeError('short', 'cut off');
  return (high << 8) | low;
}

/** Reads a big-endian unsigned 32-bit number; errors: DnsDecodeError `short`. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
}

/** Decodes the header; errors: DnsDecodeError `short` below 12 bytes. */
export function decodeHeader(bytes: Uint8Array): Header {
  if (bytes.length < 12) throw new DnsDecodeError('short', 'shorter than a DNS header');
  const flags = readUint16(bytes, 2);
  return {
    id: readUint16(bytes, 0),
    flags,
    response: (flags & FLAG.RESPONSE) !== 0,
    opcode: (flags & FLAG.OPCODE) >> 11,
    truncated: (flags & FLAG.TRUNCATED) !== 0,
    rcode: flags & FLAG.RCODE,
    questions: readUint16(bytes, 4),
    answers: readUint16(bytes, 6),
    authorities: readUint16(bytes, 8),
    additionals: readUint16(bytes, 10),
  };
}

function decodeQuestion(bytes: Uint8Array): { question: Question; next: number } {
  const { name, next } = readName(bytes, 12);
  const question = {
    name,
    type: readUint16(bytes, next),
    class: readUint16(bytes, next + 2),
    raw: bytes.slice(12, next + 4),
  };
  return { question, next: next + 4 };
}

interface Sections {
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly opt: Opt | undefined;
}

function decodeTtl(bytes: Uint8Array, at: number): number {
  const ttl = readUint32(bytes, at);
  return ttl >= 0x80000000 ? 0 : ttl;
}

function decodeOpt(bytes: Uint8Array, at: number): Opt {
  if (bytes[at] !== 0) throw new DnsDecodeError('opt', 'an OPT record is not at the root');
  const ttl = readUint32(bytes, at + 5);
  return {
    udpSize: readUint16(bytes, at + 3),
    extendedRcode: Math.floor(ttl / 0x1000000),
    version: (ttl >>> 16) & 0xff,
  };
}

/** A record's fixed part: where its data lies, inside the message. */
function decodeRecordHead(bytes: Uint8Array, at: number) {
  const { name, next } = readName(bytes, at);
  const start = next + 10;
  const end = start + readUint16(bytes, next + 8);
  if (end > bytes.length) throw new DnsDecodeError('record', 'a record runs past the end');
  const ttl = decodeTtl(bytes, next + 4);
  return {
    name,
    type: readUint16(bytes, next),
    class: readUint16(bytes, next + 2),
    ttl,
    start,
    end,
  };
}

interface Section {
  readonly records: readonly ResourceRecord[];
  readonly next: number;
}

function decodeSection(bytes: Uint8Array, count: number, from: number): Section {
  const records: ResourceRecord[] = [];
  let at = from;
  for (let index = 0; index < count; index++) {
    const { name, type, class: of, ttl, start, end } = decodeRecordHead(bytes, at);
    records.push({ name, type, class: of, ttl, data: decodeRdata(bytes, type, start, end) });
    at = end;
  }
  return { records, next: at };
}

/** The additional section: of all it may hold we use the one OPT record. */
function decodeAdditionals(bytes: Uint8Array, count: number, from: number): Opt | undefined {
  let opt: Opt | undefined;
  let at = from;
  for (let index = 0; index < count; index++) {
    const { type, end } = decodeRecordHead(bytes, at);
    if (type === TYPE.OPT) {
      if (opt !== undefined) throw new DnsDecodeError('opt', 'two OPT records');
      opt = decodeOpt(bytes, at);
    }
    at = end;
  }
  if (at !== bytes.length) throw new DnsDecodeError('trailing', 'bytes behind the last record');
  return opt;
}

function decodeSections(bytes: Uint8Array, header: Header, start: number): Sections {
  const answers = decodeSection(bytes, header.answers, start);
  const authorities = decodeSection(bytes, header.authorities, answers.next);
  const opt = decodeAdditionals(bytes, header.additionals, authorities.next);
  return { answers: answers.records, authorities: authorities.records, opt };
}

/**
 * Decodes a query: exactly one question, no answers, nothing behind its records.
 * Errors: DnsDecodeError; the caller has the header for FORMERR.
 */
export function decodeQuery(bytes: Uint8Array): Query {
  const header = decodeHeader(bytes);
  if (header.response || header.questions !== 1) {
    throw new DnsDecodeError('question', 'not exactly one question');
  }
  if (header.answers !== 0 || header.authorities !== 0) {
    throw new DnsDecodeError('record', 'a query with records');
  }
  const { question, next } = decodeQuestion(bytes);
  const { opt } = decodeSections(bytes, header, next);
  return { id: header.id, flags: header.flags, question, opt };
}

function negativeTtlOf(authorities: readonly ResourceRecord[]): number | undefined {
  const soa = authorities.find((record) => record.type === TYPE.SOA && record.class === CLASS_IN);
  if (soa === undefined || soa.data.kind !== 'raw') return undefined;
  return Math.min(soa.ttl, decodeTtl(soa.data.rdata, soa.data.rdata.length - 4));
}

/**
 * Decodes an upstream's response. A truncated one has no records: it is asked again over TCP.
 * Errors: DnsDecodeError.
 */
export function decodeResponse(bytes: Uint8Array): Response {
  const header = decodeHeader(bytes);
  if (!header.response || header.questions !== 1) {
    throw new DnsDecodeError('question', 'not a response to one question');
  }
  const { question, next } = decodeQuestion(bytes);
  if (header.truncated) {
    const { id, rcode } = header;
    return { id, rcode, truncated: true, question, answers: [], negativeTtl: undefined };
  }
  const { answers, authorities, opt } = decodeSections(bytes, header, next);
  return {
    id: header.id,
    rcode: header.rcode | ((opt?.extendedRcode ?? 0) << 4),
    truncated: false,
    question,
    answers,
    negativeTtl: negativeTtlOf(authorities),
  };
}
