// What an answer means, row by row: chains, removed addresses, the rebinding guard, lifetimes.
import { describe, expect, test } from 'vitest';
import { CLASS_IN, RCODE, TYPE } from '../../../src/core/dns/codes.ts';
import {
  type AnswerQuestion,
  type JudgedAnswer,
  judgeAnswer,
} from '../../../src/core/dns/judge-answer.ts';
import type { Response } from '../../../src/core/dns/message.ts';
import type { Opinion } from '../../../src/core/dns/opinion.ts';
import type { ResourceRecord } from '../../../src/core/dns/record.ts';
import { pairsOfSegments, type Segment, segment } from '../../../src/core/dns/segment.ts';
import { type Address, parseAddress, printAddress } from '../../../src/core/net/address.ts';
import { emptyPairs, has } from '../../../src/core/net/pair-set.ts';

function tcp(ports: readonly number[], more: Partial<Segment> = {}): Segment {
  const pairs = { ...emptyPairs(), tcp: { kind: 'some', ports } as const };
  return segment({ kind: 'user', pairs, rule: 1, private: false, ...more });
}

function opinion(deny: readonly Segment[] = []): Opinion {
  return { allow: [], deny, denied: pairsOfSegments(deny), deniesAll: false };
}

function a(name: string, text: string, ttl = 600): ResourceRecord {
  const address = parseAddress(text) ?? new Uint8Array(16);
  const type = text.includes(':') ? TYPE.AAAA : TYPE.A;
  return { name, type, class: CLASS_IN, ttl, data: { kind: 'address', address } };
}

function cname(name: string, target: string, ttl = 600): ResourceRecord {
  return { name, type: TYPE.CNAME, class: CLASS_IN, ttl, data: { kind: 'alias', target } };
}

function response(...answers: readonly ResourceRecord[]): Response {
  const question = { name: 'ok.example', type: TYPE.A, class: CLASS_IN, raw: new Uint8Array(0) };
  return {
    id: 0,
    rcode: RCODE.NOERROR,
    truncated: false,
    question,
    answers,
    negativeTtl: undefined,
  };
}

const QUESTION: AnswerQuestion = {
  name: 'ok.example',
  type: TYPE.A,
  allow: [tcp([443])],
  deny: [],
  searchDomainOnly: false,
  defaultAllow: false,
  nowMs: 1_000_000,
  age: 0,
  times: { grantFloorMs: 300_000, grantCapMs: 86_400_000 },
  own: (address: Address) => printAddress(address) === '198.51.100.7',
  opinion: () => opinion(),
};

type Judged = Extract<JudgedAnswer, { readonly kind: 'answer' }>;

function judge(answer: Response, more: Partial<AnswerQuestion> = {}): Judged {
  const judged = judgeAnswer({ ...QUESTION, ...more }, answer);
  if (judged.kind !== 'answer') throw new Error(`judged ${judged.why}`);
  return judged;
}

function granted(judged: Judged): readonly string[] {
  return judged.grants.flatMap(({ address, grants }) =>
    grants.length > 0 ? [printAddress(address)] : [],
  );
}

describe('the chain', () => {
  test('leads from the question over aliases to addresses', () => {
    const judged = judge(
      response(
        cname('ok.example', 'b.example'),
        cname('b.example', 'c.example'),
        a('c.example', '192.0.2.1'),
      ),
    );
    expect(judged.chain).toEqual(['ok.example', 'b.example', 'c.example']);
    expect(judged.records).toHaveLength(3);
    expect(granted(judged)).toEqual(['192.0.2.1']);
  });

  test('ignores records of other owners, classes and types', () => {
    const chaos = { ...a('ok.example', '192.0.2.9'), class: 3 };
    const judged = judge(
      response(
        a('other.example', '192.0.2.8'),
        chaos,
        a('ok.example', '2001:db8::9'),
        a('ok.example', '192.0.2.1'),
      ),
    );
    expect(granted(judged)).toEqual(['192.0.2.1']);
    expect(judged.records).toHaveLength(1);
  });

  test('takes the first alias of an owner', () => {
    const judged = judge(
      response(
        cname('ok.example', 'b.example'),
        cname('ok.example', 'evil.example'),
        a('evil.example', '192.0.2.9'),
        a('b.example', '192.0.2.1'),
      ),
    );
    expect(granted(judged)).toEqual(['192.0.2.1']);
  });

  test('an alias chain that loops is a failure', () => {
    const looped = judgeAnswer(
      QUESTION,
      response(cname('ok.example', 'b.example'), cname('b.example', 'ok.example')),
    );
    expect(looped).toEqual({ kind: 'servfail', why: 'loop' });
  });

  test.each([
    [16, 'answer'],
    [17, 'servfail'],
  ] as const)('of %i hops is %s', (hops, kind) => {
    const names = ['ok.example', ...Array.from({ length: hops }, (_, i) => `h${i}.example`)];
    const aliases = names.slice(1).map((target, i) => cname(names[i] ?? '', target));
    const judged = judgeAnswer(QUESTION, response(...aliases, a(names.at(-1) ?? '', '192.0.2.1')));
    expect(judged.kind).toBe(kind);
  });

  test("an alias chain loses the pairs a hop's rule denies, from there on", () => {
    const judged = judge(
      response(
        cname('ok.example', 'b.example'),
        cname('b.example', 'c.example'),
        a('c.example', '192.0.2.1'),
      ),
      {
        allow: [tcp([80, 443])],
        opinion: (name) => opinion(name === 'b.example' ? [tcp([80])] : []),
      },
    );
    const pairs = pairsOfSegments(judged.grants[0]?.grants ?? []);
    expect([has(pairs, 'tcp', 443), has(pairs, 'tcp', 80)]).toEqual([true, false]);
    expect(
      judged.learned.map((one) => [one.name, has(pairsOfSegments(one.segments), 'tcp', 80)]),
    ).toEqual([
      ['b.example', false],
      ['c.example', false],
    ]);
  });

  test("leaves a runner host's pairs whole", () => {
    const judged = judge(response(cname('ok.example', 'b.example'), a('b.example', '192.0.2.1')), {
      allow: [tcp([443], { kind: 'runner' })],
      opinion: () => opinion([tcp([443])]),
    });
    expect(granted(judged)).toEqual(['192.0.2.1']);
  });

  test('teaches its hops, not the question', () => {
    const judged = judge(
      response(cname('ok.example', 'b.example', 1000), a('b.example', '192.0.2.1', 2000)),
    );
    expect(judged.learned).toEqual([
      { name: 'b.example', origin: 'ok.example', segments: [tcp([443])], expiresAtMs: 2_000_000 },
    ]);
  });

  test('teaches nothing when nothing is allowed', () => {
    const judged = judge(response(cname('ok.example', 'b.example'), a('b.example', '192.0.2.1')), {
      allow: [],
    });
    expect(judged.learned).toEqual([]);
    expect(judged.grants).toEqual([]);
  });
});

describe('a lifetime', () => {
  test.each([
    ['five minutes at least', 0, 300],
    ['the smallest TTL', 1000, 1000],
    ['a day at most', 200_000, 86_400],
  ])('is %s', (_name, ttl, seconds) => {
    const judged = judge(
      response(cname('ok.example', 'b.example', 400_000), a('b.example', '192.0.2.1', ttl)),
    );
    expect(judged.expiresAtMs).toBe(QUESTION.nowMs + seconds * 1000);
  });

  test('counts from when the records came', () => {
    const judged = judge(response(a('ok.example', '192.0.2.1', 1000)), { age: 400 });
    expect(judged.expiresAtMs).toBe(QUESTION.nowMs + 600_000);
  });
});

describe('the rebinding guard', () => {
  test.each(['10.0.0.1', '192.168.1.1', '168.63.129.16', '224.0.0.1'])(
    '%s is answered and opens nothing',
    (text) => {
      const judged = judge(response(a('ok.example', text)));
      expect(judged.addresses.map(printAddress)).toEqual([text]);
      expect(judged.grants).toEqual([]);
    },
  );

  test('private: true opens exactly its own pairs, and only in private space', () => {
    const allow = [tcp([443], { private: true, rule: 2 }), tcp([80])];
    const open = judge(response(a('ok.example', '10.0.0.1')), { allow });
    const pairs = pairsOfSegments(open.grants[0]?.grants ?? []);
    expect([has(pairs, 'tcp', 443), has(pairs, 'tcp', 80)]).toEqual([true, false]);
    expect(judge(response(a('ok.example', '198.18.0.1')), { allow }).grants).toEqual([]);
  });

  test.each(['127.0.0.1', '0.0.0.0', '169.254.169.254', '198.51.100.7'])(
    '%s is taken out; the rest stays',
    (text) => {
      const judged = judge(response(a('ok.example', text), a('ok.example', '192.0.2.1')));
      expect(judged.addresses.map(printAddress)).toEqual(['192.0.2.1']);
      expect(judged.emptied).toBeUndefined();
    },
  );

  test('an answer emptied by it has no records and says why', () => {
    const judged = judge(response(cname('ok.example', 'b.example'), a('b.example', '127.0.0.1')));
    expect(judged).toMatchObject({
      rcode: RCODE.NOERROR,
      records: [],
      emptied: 'guarded addresses only',
    });
  });

  test('an answer without addresses of itself was not emptied', () => {
    expect(judge(response()).emptied).toBeUndefined();
  });
});

describe('a name only below a search domain', () => {
  test('keeps private addresses and opens nothing', () => {
    const judged = judge(response(a('ok.example', '10.0.0.1'), a('ok.example', '192.0.2.1')), {
      allow: [],
      searchDomainOnly: true,
    });
    expect(judged.addresses.map(printAddress)).toEqual(['10.0.0.1']);
    expect(judged.grants).toEqual([]);
  });

  test('with public addresses alone is emptied', () => {
    const judged = judge(response(a('ok.example', '192.0.2.1')), {
      allow: [],
      searchDomainOnly: true,
    });
    expect(judged.emptied).toBe('public addresses below a search domain');
  });
});

describe('under default allow', () => {
  test("a rule's denied pairs become denials, and a hop's too", () => {
    const judged = judge(response(cname('ok.example', 'b.example'), a('b.example', '192.0.2.1')), {
      allow: [],
      deny: [tcp([25])],
      defaultAllow: true,
      opinion: () => opinion([tcp([80])]),
    });
    const pairs = pairsOfSegments(judged.grants[0]?.denials ?? []);
    expect([has(pairs, 'tcp', 25), has(pairs, 'tcp', 80), has(pairs, 'tcp', 443)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('guarded space gets no denial either', () => {
    const judged = judge(response(a('ok.example', '10.0.0.1')), {
      allow: [],
      deny: [tcp([25])],
      defaultAllow: true,
    });
    expect(judged.grants).toEqual([]);
  });
});

test('an answer of another code is passed on without its records', () => {
  const judged = judge({ ...response(a('ok.example', '192.0.2.1')), rcode: RCODE.NXDOMAIN });
  expect(judged).toMatchObject({ rcode: RCODE.NXDOMAIN, records: [], grants: [] });
});
