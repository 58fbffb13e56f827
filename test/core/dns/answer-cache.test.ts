import { expect, test } from 'vitest';
import { AnswerCache, cacheSeconds, heldResponse } from '../../../src/core/dns/answer-cache.ts';
import { CLASS_IN, RCODE, TYPE } from '../../../src/core/dns/codes.ts';
import type { Response } from '../../../src/core/dns/message.ts';
import type { ResourceRecord } from '../../../src/core/dns/record.ts';

const alias = (ttl: number): ResourceRecord => ({
  name: 'a.test',
  type: TYPE.CNAME,
  class: CLASS_IN,
  ttl,
  data: { kind: 'alias', target: 'b.test' },
});
const address = (ttl: number): ResourceRecord => ({
  name: 'b.test',
  type: TYPE.A,
  class: CLASS_IN,
  ttl,
  data: { kind: 'address', address: new Uint8Array(16) },
});

function response(parts: Partial<Response>): Response {
  return {
    id: 1,
    rcode: RCODE.NOERROR,
    truncated: false,
    question: { name: 'a.test', type: TYPE.A, class: CLASS_IN, raw: new Uint8Array(0) },
    answers: [],
    negativeTtl: undefined,
    ...parts,
  };
}

test.each([
  ['the least TTL of its records', { answers: [alias(300), address(60)] }, 60],
  ['a day at most', { answers: [address(1_000_000)] }, 86_400],
  ['not at all with a TTL of 0', { answers: [alias(300), address(0)] }, 0],
  ['not at all without an answer and an SOA', {}, 0],
  ['as its SOA says without an answer', { negativeTtl: 30 }, 30],
  ['as its SOA says behind an alias to nothing', { answers: [alias(300)], negativeTtl: 30 }, 30],
  ['as the alias says where that is less', { answers: [alias(10)], negativeTtl: 30 }, 10],
  ['an alias that leads nowhere, where no SOA says how long', { answers: [alias(300)] }, 300],
  ['not at all when cut', { answers: [address(60)], truncated: true }, 0],
  ['not at all when failed', { rcode: RCODE.SERVFAIL, negativeTtl: 30 }, 0],
  ['as its SOA says when there is no such name', { rcode: RCODE.NXDOMAIN, negativeTtl: 30 }, 30],
])('holds %s', (_what, parts, seconds) => {
  expect(cacheSeconds(response(parts))).toBe(seconds);
});

test('gives nothing whose time is over, and forgets the least recently used', () => {
  const cache = new AnswerCache(2);
  const held = heldResponse(response({ answers: [address(60)] }), 1000);
  for (const name of ['a.test', 'b.test']) cache.set(name, TYPE.A, held);
  cache.get('a.test', TYPE.A, 1000);
  cache.set('c.test', TYPE.A, held);
  expect(cache.get('b.test', TYPE.A, 1000)).toBeUndefined();
  expect(cache.get('a.test', TYPE.A, 60_999)).toMatchObject({ receivedAtMs: 1000 });
  expect(cache.get('a.test', TYPE.AAAA, 1000)).toBeUndefined();
  expect(cache.get('a.test', TYPE.A, 61_000)).toBeUndefined();
});
