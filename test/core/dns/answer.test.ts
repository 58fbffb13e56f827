// Answers of our own, read back by an independent codec.
import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import {
  answerLimit,
  encodeAnswer,
  encodeHeaderAnswer,
  encodeQuestion,
  withId,
} from '../../../src/core/dns/answer.ts';
import { CLASS_IN, RCODE, TYPE } from '../../../src/core/dns/codes.ts';
import { decodeQuery } from '../../../src/core/dns/message.ts';
import type { ResourceRecord } from '../../../src/core/dns/record.ts';
import { parseAddress } from '../../../src/core/net/address.ts';

const OPT = { type: 'OPT', name: '.', udpPayloadSize: 1400 } as unknown as packet.Answer;

function asked(name: string, withOpt: boolean) {
  return decodeQuery(
    packet.encode({
      type: 'query',
      id: 0xbeef,
      flags: packet.RECURSION_DESIRED,
      questions: [{ type: 'A', name, class: 'IN' }],
      additionals: withOpt ? [OPT] : [],
    }),
  );
}

function record(name: string, address: string, ttl = 60): ResourceRecord {
  const parsed = parseAddress(address) ?? new Uint8Array(16);
  const type = address.includes(':') ? TYPE.AAAA : TYPE.A;
  return { name, type, class: CLASS_IN, ttl, data: { kind: 'address', address: parsed } };
}

function alias(name: string, target: string): ResourceRecord {
  return { name, type: TYPE.CNAME, class: CLASS_IN, ttl: 30, data: { kind: 'alias', target } };
}

describe('an answer', () => {
  test("has the client's id, case and question, and the judged records", () => {
    const query = asked('Ok.Example', false);
    const records = [alias('ok.example', 'edge.example'), record('edge.example', '192.0.2.1')];
    const answer = packet.decode(
      Buffer.from(encodeAnswer(query, { rcode: RCODE.NOERROR, records, age: 10 }, 512)),
    );
    expect(answer.id).toBe(0xbeef);
    expect(answer.questions?.[0]?.name).toBe('Ok.Example');
    expect(answer.answers).toMatchObject([
      { type: 'CNAME', name: 'Ok.Example', data: 'edge.example', ttl: 20 },
      { type: 'A', name: 'edge.example', data: '192.0.2.1', ttl: 50 },
    ]);
    expect(answer.additionals).toEqual([]);
  });

  test('names the block in an extended error, but only to a client with OPT', () => {
    const content = { rcode: RCODE.REFUSED, records: [], blocked: true };
    const told = packet.decode(Buffer.from(encodeAnswer(asked('a.example', true), content, 512)));
    expect(told).toMatchObject({ rcode: 'REFUSED' });
    expect(told.additionals?.[0]).toMatchObject({
      options: [{ code: 15, data: Buffer.from([0, 15]) }],
    });
    const plain = packet.decode(Buffer.from(encodeAnswer(asked('a.example', false), content, 512)));
    expect(plain.additionals).toEqual([]);
  });

  test('that does not fit is empty and truncated', () => {
    const query = asked('ok.example', true);
    const records = Array.from({ length: 100 }, (_, i) => record('ok.example', `192.0.2.${i}`));
    const cut = packet.decode(Buffer.from(encodeAnswer(query, { rcode: 0, records }, 1400)));
    expect(cut).toMatchObject({ flag_tc: true, answers: [] });
    const whole = packet.decode(Buffer.from(encodeAnswer(query, { rcode: 0, records }, 65_535)));
    expect(whole.flag_tc).toBe(false);
    expect(whole.answers).toHaveLength(100);
  });

  test('is as long as its client takes', () => {
    expect(answerLimit(asked('a.example', false), 'udp')).toBe(512);
    expect(answerLimit(asked('a.example', true), 'udp')).toBe(1400);
    expect(answerLimit(asked('a.example', false), 'tcp')).toBe(65_535);
  });
});

test('our question holds name and type and nothing else of a client', () => {
  const question = packet.decode(Buffer.from(withId(encodeQuestion('ok.example', TYPE.AAAA), 77)));
  expect(question).toMatchObject({
    id: 77,
    type: 'query',
    flag_rd: true,
    flag_cd: false,
    flag_z: false,
  });
  expect(question.questions).toEqual([{ name: 'ok.example', type: 'AAAA', class: 'IN' }]);
  expect(question.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232, options: [] }]);
});

test('an answer of a header alone keeps id and opcode', () => {
  const head = packet.decode(Buffer.from(encodeHeaderAnswer(5, 0x2100, RCODE.NOTIMP)));
  expect(head).toMatchObject({ id: 5, type: 'response', rcode: 'NOTIMP', opcode: 'NOTIFY' });
});
