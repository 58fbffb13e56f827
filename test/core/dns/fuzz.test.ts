// 100,000 random and mutated messages: nothing throws, hangs, grows or is answered wrongly. The seed
// is fixed; a failure names the message.
import { describe, expect, test } from 'vitest';
import { DnsDecodeError } from '../../../src/core/dns/dns-decode-error.ts';
import { decodeHeader, decodeQuery, decodeResponse } from '../../../src/core/dns/message.ts';
import { DnsStream } from '../../../src/edge/host/dns-stream.ts';
import { aProxy, query, read } from '../../fakes/dns-world.ts';

const SEED = 20_261_124;

/** mulberry32: the same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const NAMES = [
  'ok.example',
  'www.ok.example',
  'evil.example',
  '1.0.0.127.in-addr.arpa',
  'localhost',
];
const TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'SRV', 'PTR', 'HINFO', 'AXFR'] as const;
const ALLOWED = /^(.+\.)?ok\.example$/u;

function wholeQuery(next: (below: number) => number): Uint8Array {
  const name = NAMES[next(NAMES.length)] ?? '';
  const type = TYPES[next(TYPES.length)] ?? 'A';
  return Uint8Array.from(query(name, type, { id: next(65_536), opt: next(2) === 0 }));
}

/** Some bytes changed, cut off, put in or made a compression pointer. */
function mutated(message: Uint8Array, next: (below: number) => number): Uint8Array {
  let bytes = Array.from(message);
  for (let times = 1 + next(4); times > 0; times--) {
    const at = next(Math.max(1, bytes.length));
    switch (next(6)) {
      case 0:
        bytes[at] = next(256);
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2:
        bytes.splice(at, 0, ...Array.from({ length: next(8) }, () => next(256)));
        break;
      case 3:
        bytes.splice(at, 2, 0xc0 | next(64), next(256));
        break;
      case 4:
        bytes[4 + next(8)] = next(256);
        break;
      default:
        bytes.splice(at, next(12));
    }
  }
  return Uint8Array.from(bytes);
}

function random(next: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length: next(80) }, () => next(256));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Reads a message in every way; throws, naming it, on anything but the decoder's own error. */
function decodeAll(bytes: Uint8Array): void {
  for (const decode of [decodeHeader, decodeQuery, decodeResponse]) {
    if (decode === decodeHeader && bytes.length < 12) continue;
    try {
      decode(bytes);
    } catch (error) {
      if (!(error instanceof DnsDecodeError)) throw new Error(hex(bytes), { cause: error });
    }
  }
}

/** Whether a reply has the id of its question, and records of names that may have some only. */
function isRightReply(bytes: Uint8Array, reply: Uint8Array): boolean {
  const { answers = [], questions = [] } = read(reply);
  const name = questions[0]?.name.toLowerCase() ?? '';
  const isItsOwn = hex(reply.subarray(0, 2)) === hex(bytes.subarray(0, 2));
  const isAnswer = ((reply[2] ?? 0) & 0x80) !== 0;
  const mayHave = ALLOWED.test(name) || name.endsWith('localhost');
  return isItsOwn && isAnswer && (answers.length === 0 || mayHave);
}

describe('messages nobody should send', () => {
  test('decode or throw the one error, 60,000 of them', async () => {
    const next = numbers(SEED);
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { name: 'ok.example', type: 'CNAME', ttl: 60, data: 'www.ok.example' },
      { name: 'www.ok.example', type: 'A', ttl: 60, data: '192.0.2.1' },
    ]);
    await world.ask(query('ok.example'));
    const [response = new Uint8Array(0)] = world.upstream.said;
    for (let round = 0; round < 60_000; round++) {
      const base = round % 2 === 0 ? wholeQuery(next) : response;
      const bytes = round % 5 === 0 ? random(next) : mutated(base, next);
      decodeAll(bytes);
    }
  });

  test('asked of the proxy open nothing they may not, 25,000 of them', async () => {
    const next = numbers(SEED + 1);
    const world = aProxy({ allow: 'ok.example' });
    for (const name of NAMES) {
      world.upstream.set(`${name} A`, [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }]);
    }
    for (let round = 0; round < 25_000; round++) {
      const bytes = round % 5 === 0 ? random(next) : mutated(wholeQuery(next), next);
      const reply = await world.ask(bytes, { proto: round % 2 === 0 ? 'udp' : 'tcp' });
      if (reply !== undefined && !isRightReply(bytes, reply))
        throw new Error(`${hex(bytes)} was answered ${hex(reply)}`);
    }
    expect(world.opened.filter(({ name }) => !ALLOWED.test(name))).toEqual([]);
    expect(
      world.upstream.heard.filter(({ key }) => !ALLOWED.test(key.split(' ')[0] ?? '')),
    ).toEqual([]);
    const { counters } = world.proxy;
    expect(counters.queries).toBe(25_000);
    expect(counters.overloaded).toBe(0);
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
  });

  test('answered by an upstream harm no client, 15,000 of them', async () => {
    const next = numbers(SEED + 2);
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { name: 'ok.example', type: 'CNAME', ttl: 60, data: 'www.elsewhere.example' },
      { name: 'www.elsewhere.example', type: 'A', ttl: 60, data: '192.0.2.1' },
      { name: 'other.example', type: 'A', ttl: 60, data: '192.0.2.66' },
    ]);
    world.upstream.change = (bytes) => mutated(bytes, next);
    for (let round = 0; round < 15_000; round++) {
      const asked = query('ok.example', 'A', { id: next(65_536) });
      const reply = await world.ask(asked);
      const { rcode = '', questions = [] } = read(reply);
      const isRight =
        reply !== undefined &&
        hex(reply.subarray(0, 2)) === hex(asked.subarray(0, 2)) &&
        questions[0]?.name === 'ok.example' &&
        ['NOERROR', 'NXDOMAIN', 'SERVFAIL'].includes(rcode);
      if (!isRight) throw new Error(`${hex(world.upstream.said.at(-1) ?? asked)}: ${rcode}`);
      world.upstream.said.length = 0;
      world.upstream.heard.length = 0;
      // no answer is held longer than a day
      world.clock.advance(100_000_000);
      world.proxy.sweep();
    }
    expect(new Set(world.opened.map(({ name }) => name))).toEqual(new Set(['ok.example']));
    expect(world.proxy.grants.size).toBe(0);
    world.upstream.change = (bytes) => bytes;
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(2);
  });

  test('sent over TCP in any pieces hold no more than one message', () => {
    const next = numbers(SEED + 3);
    const stream = new DnsStream();
    let taken = 0;
    let sent = 0;
    for (let round = 0; round < 20_000; round++) {
      const piece = random(next);
      sent += piece.length;
      for (const message of stream.take(piece)) taken += message.length + 2;
    }
    expect(sent - taken).toBeLessThan(2 + 65_535);
  });
});
