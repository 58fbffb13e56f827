// The gate of spec 7, row by row.
import { describe, expect, test } from 'vitest';
import { CLASS_IN, TYPE } from '../../../src/core/dns/codes.ts';
import {
  decideQuery,
  type GateSettings,
  type QueryDecision,
} from '../../../src/core/dns/decide-query.ts';
import { opinionOf } from '../../../src/core/dns/opinion.ts';
import { type Segment, segment } from '../../../src/core/dns/segment.ts';
import { parseAddress, printAddress } from '../../../src/core/net/address.ts';
import { everyPort } from '../../../src/core/net/pair-set.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';

const POLICY = aSessionPolicy({
  allow: 'ok.example\n=exact.example:443\nhalf.example:443',
  block: 'no.ok.example\nhalf.example:25\nbad.cluster.local',
  searchDomains: '.corp.example',
});
const GATE: GateSettings = {
  defaultAllow: false,
  searchDomains: POLICY.searchDomains,
  localNames: new Map([['myhost', [parseAddress('192.0.2.7') ?? new Uint8Array(16)]]]),
  nonce: 'n0nce',
};
const LEARNED: Segment = segment({ kind: 'user', pairs: everyPort(), rule: 1, private: false });

interface Asked {
  readonly type?: number;
  readonly class?: number;
  readonly isRunner?: boolean;
  readonly learned?: readonly Segment[];
  readonly defaultAllow?: boolean;
}

function decide(name: string, asked: Asked = {}): QueryDecision {
  const { type = TYPE.A, class: klass = CLASS_IN, isRunner = false, learned = [] } = asked;
  const question = { name, type, class: klass, raw: new Uint8Array(0) };
  const gate = { ...GATE, defaultAllow: asked.defaultAllow ?? false };
  return decideQuery({ question, isRunner, learned, opinion: opinionOf(POLICY, name) }, gate);
}

function said(decision: QueryDecision): string {
  if (decision.kind === 'answer') return `answer: ${decision.because}`;
  return decision.kind === 'refuse' ? `refuse: ${decision.reason}` : decision.kind;
}

test.each<[string, Asked, string]>([
  ['ok.example', {}, 'answer: rule'],
  ['a.b.ok.example', {}, 'answer: rule'],
  ['okk.example', {}, 'refuse: not allowed'],
  ['evilok.example', {}, 'refuse: not allowed'],
  ['ok.example.evil.test', {}, 'refuse: not allowed'],
  ['a\\046ok.example', {}, 'refuse: not allowed'],
  ['exact.example', {}, 'answer: rule'],
  ['a.exact.example', {}, 'refuse: not allowed'],
  ['no.ok.example', {}, 'refuse: denied by a rule'],
  ['half.example', {}, 'answer: rule'],
  ['', {}, 'refuse: not allowed'],
  ['learned.example', { learned: [LEARNED] }, 'answer: learned'],
  ['no.ok.example', { learned: [LEARNED] }, 'refuse: denied by a rule'],
  [
    'learned.example',
    { learned: [segment({ ...LEARNED, kind: 'runner' })] },
    'refuse: not allowed',
  ],
  [
    'learned.example',
    { learned: [segment({ ...LEARNED, kind: 'runner' })], isRunner: true },
    'answer: learned',
  ],
  ['ok.example.corp.example', {}, 'answer: rule'],
  ['host.corp.example', {}, 'answer: search-domain'],
  ['corp.example', {}, 'refuse: not allowed'],
  ['host.corp.example', { defaultAllow: true }, 'answer: default'],
  ['other.example', { defaultAllow: true }, 'answer: default'],
  ['no.ok.example', { defaultAllow: true }, 'refuse: denied by a rule'],
  ['pipelines.actions.githubusercontent.com', {}, 'refuse: not allowed'],
  ['pipelines.actions.githubusercontent.com', { isRunner: true }, 'answer: runner'],
  ['ok.example.default.svc.cluster.local', {}, 'answer: rule'],
  ['other.default.svc.cluster.local', {}, 'nxdomain'],
  ['bad.cluster.local', {}, 'nxdomain'],
  ['cluster.local', {}, 'refuse: not allowed'],
  ['other.cluster.local', { defaultAllow: true }, 'answer: default'],
  ['localhost', {}, 'local'],
  ['a.localhost', {}, 'local'],
  ['notlocalhost', {}, 'refuse: not allowed'],
  ['myhost', {}, 'local'],
  ['n0nce.invalid', {}, 'refuse: proof'],
  ['n0nce.invalid', { defaultAllow: true }, 'refuse: proof'],
  ['n0nce.cargowall.internal', {}, 'canary'],
  ['other.cargowall.internal', {}, 'refuse: not allowed'],
  ['1.2.0.192.in-addr.arpa', { type: TYPE.PTR }, 'reverse'],
  ['data.2.0.192.in-addr.arpa', { type: TYPE.PTR }, 'refuse: type'],
  ['ok.example', { type: TYPE.PTR }, 'refuse: type'],
  ['ok.example', { class: 3 }, 'refuse: class'],
])('%s %o is %s', (name, asked, expected) => {
  expect(said(decide(name, asked))).toBe(expected);
});

describe('types', () => {
  test.each([TYPE.A, TYPE.AAAA, TYPE.CNAME, TYPE.HTTPS, TYPE.SVCB])(
    '%i is answered for every answered name',
    (type) => {
      expect(decide('ok.example', { type }).kind).toBe('answer');
      expect(decide('learned.example', { type, learned: [LEARNED] }).kind).toBe('answer');
      expect(decide('host.corp.example', { type }).kind).toBe('answer');
    },
  );

  test.each([TYPE.SRV, TYPE.TXT, TYPE.MX, TYPE.NS, TYPE.SOA])(
    '%i needs a rule that allows the name',
    (type) => {
      expect(decide('ok.example', { type }).kind).toBe('answer');
      expect(said(decide('learned.example', { type, learned: [LEARNED] }))).toBe('refuse: type');
      expect(said(decide('host.corp.example', { type }))).toBe('refuse: type');
      expect(said(decide('other.example', { type, defaultAllow: true }))).toBe('refuse: type');
    },
  );

  test.each([10, 35, 41, 252, 255, 65_280])('%i is refused for every name', (type) => {
    expect(said(decide('ok.example', { type }))).toBe('refuse: type');
  });
});

test('a refusal names the rule that decided it, and no rule when none did', () => {
  const rule = POLICY.rules.find((one) => one.text === 'no.ok.example');
  expect(decide('no.ok.example')).toMatchObject({ rule: rule?.id });
  expect(decide('other.example')).toMatchObject({ rule: 0 });
});

test('localhost is loopback of both families', () => {
  const decision = decide('localhost');
  const addresses = decision.kind === 'local' ? decision.addresses.map(printAddress) : [];
  expect(addresses).toEqual(['127.0.0.1', '::1']);
});
