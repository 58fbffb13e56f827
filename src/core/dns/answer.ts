// Answers and questions of our own making (spec 7, Re-origination): nothing of the client's but
// name and type goes to an upstream, nothing but judged records comes back, under the client's
// id, case and question.
import { CLASS_IN, EDE_BLOCKED, FLAG, OPTION_EDE, TYPE } from './codes.ts';
import type { Query } from './message.ts';
import { encodeName } from './name.ts';
import type { ResourceRecord } from './record.ts';

/** The UDP payload we offer and accept (DNS flag day 2020: no fragments). */
const OUR_UDP_SIZE = 1232;
const SMALLEST_UDP_SIZE = 512;
const LARGEST_UDP_SIZE = 4096;
const LARGEST_MESSAGE = 65_535;
const QUESTION_AT = 12;

/** What an answer says; `blocked` adds extended error 15 when the client sent OPT. */
export interface AnswerContent {
  readonly rcode: number;
  readonly records: readonly ResourceRecord[];
  readonly blocked?: boolean;
  /** Seconds the records have been held; taken off every TTL. */
  readonly age?: number;
}

/** Where messages are made, one at a time. */
let room = new Uint8Array(1024);

/** A message being made; one at a time. */
class Writer {
  readonly #names: { readonly name: string; readonly at: number }[] = [];
  #bytes = room;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    room = new Uint8Array(2 * (this.#length + size));
    room.set(this.#bytes);
    this.#bytes = room;
  }

  uint16(value: number): void {
    this.#room(2);
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value;
  }

  uint32(value: number): void {
    this.uint16(Math.floor(value / 0x10000));
    this.uint16(value & 0xffff);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Where a name stands already. */
  #placeOf(name: string): number | undefined {
    return this.#names.find((known) => known.name === name)?.at;
  }

  /** Remembers where a name stands, for later pointers to it. */
  known(name: string, at: number): void {
    if (at < 0x4000 && this.#placeOf(name) === undefined) this.#names.push({ name, at });
  }

  name(name: string): void {
    const at = this.#placeOf(name);
    if (at !== undefined && name !== '') {
      this.uint16(0xc000 | at);
      return;
    }
    this.known(name, this.length);
    this.raw(encodeName(name));
  }

  /** Writes a part behind its own 16-bit length. */
  sized(write: () => void): void {
    const at = this.length;
    this.uint16(0);
    write();
    const size = this.length - at - 2;
    this.#bytes[at] = size >> 8;
    this.#bytes[at + 1] = size;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

function writeData(writer: Writer, record: ResourceRecord): void {
  const { data } = record;
  switch (data.kind) {
    case 'address':
      writer.raw(record.type === TYPE.A ? data.address.subarray(12) : data.address);
      return;
    case 'alias':
      writer.name(data.target);
      return;
    case 'raw':
      writer.raw(data.rdata);
      return;
    case 'other':
  }
}

function writeRecord(writer: Writer, record: ResourceRecord, age: number): void {
  writer.name(record.name);
  writer.uint16(record.type);
  writer.uint16(CLASS_IN);
  writer.uint32(Math.max(0, record.ttl - age));
  writer.sized(() => writeData(writer, record));
}

function writeOpt(writer: Writer, rcode: number, blocked: boolean): void {
  writer.raw(Uint8Array.of(0));
  writer.uint16(TYPE.OPT);
  writer.uint16(OUR_UDP_SIZE);
  writer.raw(Uint8Array.of(rcode >> 4, 0, 0, 0));
  writer.sized(() => {
    if (!blocked) return;
    writer.uint16(OPTION_EDE);
    writer.sized(() => writer.uint16(EDE_BLOCKED));
  });
}

function encodeWith(query: Query, content: AnswerContent, truncated: boolean): Uint8Array {
  const writer = new Writer();
  const records = truncated ? [] : content.records;
  const kept = FLAG.OPCODE | FLAG.RECURSION_DESIRED | FLAG.CHECKING_DISABLED;
  const flags = FLAG.RESPONSE | FLAG.RECURSION_AVAILABLE | (query.flags & kept);
  writer.uint16(query.id);
  writer.uint16(flags | (truncated ? FLAG.TRUNCATED : 0) | (content.rcode & FLAG.RCODE));
  writer.uint16(1);
  writer.uint16(records.length);
  writer.uint16(0);
  writer.uint16(query.opt === undefined ? 0 : 1);
  writer.known(query.question.name, QUESTION_AT);
  writer.raw(query.question.raw);
  for (const record of records) writeRecord(writer, record, content.age ?? 0);
  if (query.opt !== undefined) writeOpt(writer, content.rcode, content.blocked === true);
  return writer.done();
}

/** The longest answer a client takes: its OPT's size within reason, 512 bytes without one. */
export function answerLimit(query: Query, protocol: 'udp' | 'tcp'): number {
  if (protocol === 'tcp') return LARGEST_MESSAGE;
  const offered = query.opt?.udpSize ?? SMALLEST_UDP_SIZE;
  return Math.min(LARGEST_UDP_SIZE, Math.max(SMALLEST_UDP_SIZE, offered));
}

/** Encodes an answer to `query`; one longer than `limit` bytes is empty and says so (TC). */
export function encodeAnswer(query: Query, content: AnswerContent, limit: number): Uint8Array {
  const whole = encodeWith(query, content, false);
  return whole.length <= limit ? whole : encodeWith(query, content, true);
}

/** An answer of a header alone, for a message whose question can't be read; id and opcode kept. */
export function encodeHeaderAnswer(id: number, flags: number, rcode: number): Uint8Array {
  const kept = FLAG.OPCODE | FLAG.RECURSION_DESIRED;
  const word = FLAG.RESPONSE | (flags & kept) | rcode;
  const head = new Uint8Array(12);
  head.set([id >> 8, id & 0xff, word >> 8, word & 0xff]);
  return head;
}

/** The minimal question we ask an upstream; id 0, which whoever sends it replaces. */
export function encodeQuestion(name: string, type: number): Uint8Array {
  const writer = new Writer();
  for (const word of [0, FLAG.RECURSION_DESIRED, 1, 0, 0, 1]) writer.uint16(word);
  writer.name(name);
  writer.uint16(type);
  writer.uint16(CLASS_IN);
  writeOpt(writer, 0, false);
  return writer.done();
}

/** A copy of `message` under another id. */
export function withId(message: Uint8Array, id: number): Uint8Array {
  const copy = message.slice();
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}
