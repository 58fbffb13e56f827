// Decoding is compared with an independent codec, and never throws anything but its own error.
import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TYPE } from '../../../src/core/dns/codes.ts';
import { DnsDecodeError } from '../../../src/core/dns/dns-decode-error.ts';
import { decodeHeader, decodeQuery, decodeResponse } from '../../../src/core/dns/message.ts';
import { encodeName, readName } from '../../../src/core/dns/name.ts';
import { printAddress } from '../../../src/core/net/address.ts';

function bytes(...parts: readonly (number | string)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'number' ? [part] : [...Buffer.from(part, 'latin1')])),
  );
}

const HEAD = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] as const;
const OK_EXAMPLE = ['\x02ok\x07example\x00', 0, 1, 0, 1] as const;
const RESPONSE = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] as const;
const A_HEAD = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60] as const;

/** A name that is led over a pointer for each two bytes of a record's data. */
function chainOfPointers(size: number): Uint8Array {
  const chain = Array.from({ length: size }, (_, index) => {
    const target = index === 0 ? 12 : 37 + 2 * index;
    return [0xc0 | (target >> 8), target & 0xff];
  }).flat();
  const last = 37 + 2 * size;
  const head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 2];
  const record = [0, 0, 10, 0, 1, 0, 0, 0, 0, (2 * size) >> 8, (2 * size) & 0xff];
  const name = [0xc0 | (last >> 8), last & 0xff, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0];
  return bytes(...head, ...OK_EXAMPLE, ...record, ...chain, ...name);
}

function query(name: string, type: packet.RecordType = 'A', more: Partial<packet.Packet> = {}) {
  return packet.encode({ type: 'query', id: 7, questions: [{ type, name, class: 'IN' }], ...more });
}

describe('a query', () => {
  test('gives its name in lower case and its question as it came', () => {
    const message = query('WwW.Example.COM', 'AAAA', { flags: packet.RECURSION_DESIRED });
    const decoded = decodeQuery(message);
    expect(decoded.question.name).toBe('www.example.com');
    expect(decoded.question.type).toBe(TYPE.AAAA);
    expect(Buffer.from(decoded.question.raw).toString('latin1')).toContain('WwW');
    expect(decoded.id).toBe(7);
    expect(decoded.opt).toBeUndefined();
  });

  test('gives the OPT record of its client', () => {
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1400,
      flags: 0,
      options: [],
      ednsVersion: 1,
      extendedRcode: 0,
    } as unknown as packet.Answer;
    const decoded = decodeQuery(query('a.example', 'A', { additionals: [opt] }));
    expect(decoded.opt).toEqual({ udpSize: 1400, version: 1, extendedRcode: 0 });
  });

  test('may have names led over a few pointers', () => {
    expect(decodeQuery(chainOfPointers(20)).question.name).toBe('ok.example');
    expect(() => decodeQuery(chainOfPointers(100))).toThrow('too many pointers');
  });

  test('keeps a dot inside a label apart from the dots between labels', () => {
    const decoded = decodeQuery(bytes(...HEAD, '\x06www.ok\x07example\x00', 0, 1, 0, 1));
    expect(decoded.question.name).toBe('www\\046ok.example');
    expect(encodeName('www\\046ok.example')).toEqual(bytes('\x06www.ok\x07example\x00'));
  });
});

describe('malformed queries', () => {
  const corpus: readonly [string, Uint8Array, string][] = [
    ['nothing', bytes(), 'short'],
    ['eleven bytes', bytes(...HEAD.slice(0, 11)), 'short'],
    ['no question', bytes(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), 'question'],
    [
      'two questions',
      bytes(0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, ...OK_EXAMPLE, ...OK_EXAMPLE),
      'question',
    ],
    ['a response', bytes(...RESPONSE.slice(0, 6), 0, 0, 0, 0, 0, 0, ...OK_EXAMPLE), 'question'],
    ['a header alone', bytes(...HEAD), 'name'],
    ['a name without its end', bytes(...HEAD, '\x02ok'), 'name'],
    ['a label cut off', bytes(...HEAD, '\x09ok'), 'name'],
    ['a label of 64', bytes(...HEAD, 64, 'a'.repeat(64), 0, 0, 1, 0, 1), 'name'],
    ['a pointer to itself', bytes(...HEAD, 0xc0, 12, 0, 1, 0, 1), 'name'],
    ['a chain of pointers', chainOfPointers(1000), 'name'],
    ['a pointer forward', bytes(...HEAD, 0xc0, 20, 0, 1, 0, 1, 0, 0, 0), 'name'],
    ['a pointer into the header', bytes(...HEAD, 0xc0, 4, 0, 1, 0, 1), 'name'],
    ['a pointer cut off', bytes(...HEAD, 0xc0), 'name'],
    ['a name of 256', bytes(...HEAD, `\x3f${'a'.repeat(63)}`.repeat(4), 0, 0, 1, 0, 1), 'name'],
    ['a question without class', bytes(...HEAD, '\x02ok\x00', 0, 1), 'short'],
    ['bytes behind the end', bytes(...HEAD, ...OK_EXAMPLE, 0), 'trailing'],
    [
      'answers in a query',
      bytes(...HEAD.slice(0, 6), 0, 1, 0, 0, 0, 0, ...OK_EXAMPLE, ...A_HEAD, 0, 4, 1, 2, 3, 4),
      'record',
    ],
    [
      'two OPT records',
      bytes(
        ...HEAD.slice(0, 10),
        0,
        2,
        ...OK_EXAMPLE,
        0,
        0,
        41,
        4,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        41,
        4,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
      ),
      'opt',
    ],
    [
      'an OPT below a name',
      bytes(...HEAD.slice(0, 10), 0, 1, ...OK_EXAMPLE, 0xc0, 12, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0),
      'opt',
    ],
    [
      'a record cut off',
      bytes(...HEAD.slice(0, 10), 0, 1, ...OK_EXAMPLE, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 9),
      'record',
    ],
    ['a count without records', bytes(...HEAD.slice(0, 10), 0xff, 0xff, ...OK_EXAMPLE), 'name'],
  ];
  test.each(corpus)('%s is refused', (_name, message, code) => {
    expect(() => decodeQuery(message)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a response', () => {
  test('gives addresses, aliases and rcode as the other codec wrote them', () => {
    const message = packet.encode({
      type: 'response',
      id: 9,
      questions: [{ type: 'A', name: 'ok.example', class: 'IN' }],
      answers: [
        { type: 'CNAME', name: 'ok.example', ttl: 30, data: 'Edge.Example.net' },
        { type: 'A', name: 'edge.example.net', ttl: 60, data: '192.0.2.1' },
        { type: 'AAAA', name: 'edge.example.net', ttl: 60, data: '2001:db8::1' },
        {
          type: 'MX',
          name: 'edge.example.net',
          ttl: 1,
          data: { preference: 5, exchange: 'm.example' },
        },
      ],
    });
    const { answers } = decodeResponse(message);
    const printed = answers.map(({ data }) =>
      data.kind === 'address'
        ? printAddress(data.address)
        : data.kind === 'alias'
          ? data.target
          : data.kind,
    );
    expect(printed).toEqual(['edge.example.net', '192.0.2.1', '2001:db8::1', 'raw']);
    expect(answers[0]?.ttl).toBe(30);
  });

  test('reads a TTL with its top bit set as 0', () => {
    const head = [0xc0, 12, 0, 1, 0, 1, 0x80, 0, 0, 5];
    const { answers } = decodeResponse(
      bytes(...RESPONSE, ...OK_EXAMPLE, ...head, 0, 4, 1, 2, 3, 4),
    );
    expect(answers[0]?.ttl).toBe(0);
  });

  test('takes hints and ech out of a service record, from its mandatory list too', () => {
    const parameters = [
      0, 0, 0, 4, 0, 1, 0, 4, 0, 1, 0, 3, 2, 0x68, 0x32, 0, 4, 0, 4, 1, 2, 3, 4, 0, 5, 0, 1, 9,
    ];
    const rdata = [0, 1, 0, ...parameters];
    const head = [0xc0, 12, 0, 65, 0, 1, 0, 0, 0, 60];
    const message = bytes(...RESPONSE, ...OK_EXAMPLE, ...head, 0, rdata.length, ...rdata);
    const data = decodeResponse(message).answers[0]?.data;
    expect(data).toEqual({
      kind: 'raw',
      rdata: bytes(0, 1, 0, 0, 0, 0, 2, 0, 1, 0, 1, 0, 3, 2, 0x68, 0x32),
    });
  });

  const broken: readonly [string, Uint8Array][] = [
    ['an A of five bytes', bytes(...RESPONSE, ...OK_EXAMPLE, ...A_HEAD, 0, 5, 1, 2, 3, 4, 5)],
    ['an A of no bytes', bytes(...RESPONSE, ...OK_EXAMPLE, ...A_HEAD, 0, 0)],
    ['data past the end', bytes(...RESPONSE, ...OK_EXAMPLE, ...A_HEAD, 0, 4, 1, 2)],
    [
      'an alias longer than its record',
      bytes(...RESPONSE, ...OK_EXAMPLE, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 1, 1, 'a', 0),
    ],
    [
      'a text cut off',
      bytes(...RESPONSE, ...OK_EXAMPLE, 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 2, 9, 'a'),
    ],
    [
      'an MX without a name',
      bytes(...RESPONSE, ...OK_EXAMPLE, 0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 1, 0, 2, 0, 1),
    ],
    ['bytes behind the end', bytes(...RESPONSE, ...OK_EXAMPLE, ...A_HEAD, 0, 4, 1, 2, 3, 4, 5)],
  ];
  test.each(broken)('%s is refused whole', (_name, message) => {
    expect(() => decodeResponse(message)).toThrow(DnsDecodeError);
  });
});

describe('whatever comes', () => {
  const decoders = [decodeHeader, decodeQuery, decodeResponse];
  const attempt = (decode: (message: Uint8Array) => unknown, message: Uint8Array) => {
    try {
      decode(message);
    } catch (error) {
      expect(error).toBeInstanceOf(DnsDecodeError);
    }
  };

  test('random bytes meet only our own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (message) => {
        for (const decode of decoders) attempt(decode, message);
      }),
      { numRuns: 20_000 },
    );
  });

  test('mutated messages meet only our own error', () => {
    const whole = packet.encode({
      type: 'response',
      questions: [{ type: 'A', name: 'a.ok.example', class: 'IN' }],
      answers: [
        { type: 'CNAME', name: 'a.ok.example', data: 'b.ok.example' },
        { type: 'A', name: 'b.ok.example', data: '192.0.2.1' },
        { type: 'TXT', name: 'b.ok.example', data: 'text' },
        { type: 'SRV', name: 'b.ok.example', data: { port: 1, target: 'c.example' } },
      ],
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096 } as unknown as packet.Answer],
    });
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(whole.length), (changes, length) => {
        const message = Uint8Array.from(whole.subarray(0, length));
        for (const { at, to } of changes) if (at < length) message[at] = to;
        for (const decode of decoders) attempt(decode, message);
      }),
      { numRuns: 20_000 },
    );
  });

  test('a name survives the way to text and back, in lower case', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(label, { maxLength: 6 }), (labels) => {
        const wire = Uint8Array.from([...labels.flatMap((one) => [one.length, ...one]), 0]);
        const { name } = readName(Uint8Array.from([...HEAD, ...wire]), 12);
        const lower = labels.flatMap((one) => [
          one.length,
          ...one.map((b) => (b >= 65 && b <= 90 ? b + 32 : b)),
        ]);
        expect(encodeName(name)).toEqual(Uint8Array.from([...lower, 0]));
        if (labels.length > 0) expect(name.split('.')).toHaveLength(labels.length);
      }),
    );
  });
});
