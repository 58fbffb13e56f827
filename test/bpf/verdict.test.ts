// verdict_for() on the real kernel, over the vectors its reference in TypeScript answers too.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import {
  DECIDED_BY,
  KIND,
  OFFSET,
  SCOPE,
  SIZE,
  VERDICT,
  WRITABLE_MAP,
} from '../../src/core/flow/layout.gen.ts';
import { grant, hexAddress, rule } from '../lab/entries.ts';

type Proto = 'any' | 'tcp' | 'udp' | 'icmp' | 'icmpv6' | number;

interface Entry {
  readonly proto: Proto;
  readonly port: number;
  readonly kind?: keyof typeof KIND;
  readonly scope?: keyof typeof SCOPE;
}

interface Case {
  readonly name: string;
  readonly default: 'allow' | 'deny';
  readonly daemon?: 'alive' | 'gone';
  readonly upstream?: { readonly address: string; readonly port: number };
  readonly resolvers?: readonly string[];
  readonly locals?: readonly string[];
  readonly rules?: readonly (Entry & { id: number; prefix: string; action: string })[];
  readonly grants?: readonly (Entry & { address: string; life: string; rule: number })[];
  readonly asks: readonly (Entry & {
    to: string;
    otherNetns?: boolean;
    verdict: 'allow' | 'deny';
    by: keyof typeof DECIDED_BY;
    rule?: number;
  })[];
}

const OUT = 'build/test-bpf';
const FAR_FUTURE = 1n << 62n;
const cases = (JSON.parse(readFileSync('test/vectors/verdicts.json', 'utf8')) as { cases: Case[] })
  .cases;
const PROTO = { any: 0, icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };
const MAP_NAMES: Record<number, string> = {
  [WRITABLE_MAP.RULES]: 'rules',
  [WRITABLE_MAP.GRANTS]: 'grants',
};

function entry(one: Entry): { proto: number; port: number; kind: number; scope: number } {
  return {
    proto: typeof one.proto === 'number' ? one.proto : PROTO[one.proto],
    port: one.port,
    kind: KIND[one.kind ?? 'USER'],
    scope: SCOPE[one.scope ?? 'EVERYONE'],
  };
}

function put(map: string, key: Buffer, value: Buffer): string {
  return `put ${map} ${key.toString('hex')} ${value.toString('hex')}`;
}

/** An entry written for an APPLY frame, as a line of the runner. */
function putWrite(write: Buffer): string {
  const end = 8 + write.readUInt16LE(2);
  return put(MAP_NAMES[write[1] ?? 0] ?? '', write.subarray(8, end), write.subarray(end));
}

function policyLine(one: Case): string {
  const at = OFFSET.policy_config;
  const value = Buffer.alloc(SIZE.policy_config);
  value.writeUInt32LE(1, at.generation);
  value.writeUInt32LE(one.default === 'allow' ? VERDICT.ALLOW : VERDICT.DENY, at.default_verdict);
  if (one.upstream !== undefined) {
    hexAddress(one.upstream.address).copy(value, at.upstream);
    value.writeUInt16LE(one.upstream.port, at.upstream_port);
  }
  return put('policy', Buffer.alloc(4), value);
}

/** A daemon that is gone was last heard of in the machine's first nanosecond. */
function heartbeatLine(one: Case): string {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(one.daemon === 'gone' ? 1n : 0n);
  return put('heartbeat', Buffer.alloc(4), value);
}

function configLine(): string {
  const value = Buffer.alloc(SIZE.config);
  value.writeBigUInt64LE(1n, OFFSET.config.heartbeat_limit_ns);
  return put('config', Buffer.alloc(4), value);
}

function splitPrefix(text: string): { address: string; length: number } {
  const [address = '', length = ''] = text.split('/');
  return { address, length: Number(length) };
}

function localLine(prefix: string): string {
  const { address, length } = splitPrefix(prefix);
  const bits = address.includes('.') ? 96 + length : length;
  const key = Buffer.alloc(SIZE.local_key);
  key.writeUInt32LE(bits, OFFSET.local_key.prefixlen);
  hexAddress(address).copy(key, OFFSET.local_key.addr);
  const value = Buffer.alloc(SIZE.local_value);
  value.writeUInt32LE(bits, OFFSET.local_value.prefixlen);
  return put('locals', key, value);
}

function ruleLine(one: NonNullable<Case['rules']>[number]): string {
  const verdict = one.action === 'allow' ? VERDICT.ALLOW : VERDICT.DENY;
  return putWrite(rule({ ...entry(one), ...splitPrefix(one.prefix), verdict, rule: one.id }));
}

function grantLine(one: NonNullable<Case['grants']>[number]): string {
  const expiresNs = { live: FAR_FUTURE, ended: 1n }[one.life] ?? 0n;
  const write = grant({ ...entry(one), address: one.address, expiresNs });
  write.writeUInt32LE(one.rule, 8 + SIZE.grant_key + OFFSET.grant_value.rule);
  return putWrite(write);
}

/** struct question: 16 bytes of address, u32 scope, u16 port, u8 protocol, u8 other namespace. */
function askLine(one: Case['asks'][number]): string {
  const { proto, port, scope } = entry(one);
  const question = Buffer.alloc(24);
  hexAddress(one.to).copy(question);
  question.writeUInt32LE(scope, 16);
  question.writeUInt16LE(port, 20);
  question[22] = proto;
  question[23] = one.otherNetns === true ? 1 : 0;
  return `ask ${question.toString('hex')}`;
}

function lines(one: Case): string[] {
  return [
    'case',
    policyLine(one),
    configLine(),
    heartbeatLine(one),
    ...(one.locals ?? []).map(localLine),
    ...(one.resolvers ?? []).map((address) =>
      put('resolvers', hexAddress(address), Buffer.from([1, 0, 0, 0])),
    ),
    ...(one.rules ?? []).map(ruleLine),
    ...(one.grants ?? []).map(grantLine),
    ...one.asks.map(askLine),
  ];
}

const DECIDED_BY_NAMES = Object.entries(DECIDED_BY);

/** "allow RULE 1", as the vectors put it. */
function answerText(answer: string): string {
  const [by, verdict, id] = answer.split(' ').map(Number);
  const name = DECIDED_BY_NAMES.find(([, value]) => value === by)?.[0];
  return `${verdict === VERDICT.ALLOW ? 'allow' : 'deny'} ${name} ${id}`;
}

beforeAll(() => {
  execFileSync('make', ['-s', '-C', 'test/bpf', 'OUT=../../build/test-bpf']);
});

test.each(cases)('$name', (one) => {
  const answers = execFileSync(`${OUT}/verdict_test`, [`${OUT}/verdict_test.bpf.o`], {
    input: `${lines(one).join('\n')}\n`,
    encoding: 'utf8',
  });
  const text = (ask: Case['asks'][number]) =>
    `${ask.scope ?? ''} ${ask.otherNetns ? 'elsewhere' : ''} ${ask.to} ${ask.proto} ${ask.port}: `;
  const got = answers.trim().split('\n');
  expect(got.length).toBe(one.asks.length);
  expect(one.asks.map((ask, index) => text(ask) + answerText(got[index] ?? ''))).toEqual(
    one.asks.map((ask) => `${text(ask)}${ask.verdict} ${ask.by} ${ask.rule ?? 0}`),
  );
});
