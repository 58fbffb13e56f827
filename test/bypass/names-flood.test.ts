// Floods of questions that are refused, and one name between them that another process asks for once:
// it has its own record, every question is in the sums, and log and memory stay small.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { schemaFaults } from '../lab/audit-schema.ts';
import { line, until } from '../lab/lab.ts';
import { DnsArena, RESOLVER } from './dns-arena.ts';
import { Told } from './told.ts';

const arena = new DnsArena('names');
const told = new Told();
const NAMES = resolve('build/test-bypass/names');
const RSS_MB = 120;
/** 64 records, 64 further names and one for the rest, in each second and at its ends. */
const RECORDS_A_SECOND = 129;
/** The proof's own question. */
const PROOF = 1;

let refusedSoFar = PROOF;

beforeAll(async () => {
  execFileSync('make', ['-s', '-C', 'test/bypass/flood']);
  await arena.open();
  await arena.guard({ allow: 'barrier.example:443' });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

function seal(): Readonly<Record<string, number>> {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"seal"}\\n'); print(s.recv(65536).decode())
`;
  arena.guarded.run('/usr/bin/python3', '-c', script);
  const ended = arena.records().findLast(({ event_type: kind }) => kind === 'session_ended');
  if (ended?.event_type !== 'session_ended') throw new Error('the session was not sealed');
  const lost = Object.values(ended.lost).reduce((all, one) => all + one, 0);
  return { ...ended.totals, dropped: ended.lost['dns_dropped'] ?? 0, lost };
}

function isOf(suffix: string, comm: string) {
  return (record: object): record is AuditEvent =>
    'process' in record &&
    record.process === comm &&
    (!('dst_hostname' in record) || String(record.dst_hostname).endsWith(suffix));
}

function sum(records: readonly AuditEvent[]): number {
  return records.reduce((total, { count = 1 }) => total + count, 0);
}

/** Floods, asks once as another process in the middle of it; the flood's own records. */
async function flood(suffix: string, ...words: readonly (number | string)[]) {
  const before = new Set(arena.records().map((record) => JSON.stringify(record)));
  const { lab } = arena.guarded;
  const started = lab.spawn([NAMES, RESOLVER, suffix, ...words.map(String)]);
  const counted = line(started, ' ', 120_000);
  let worst = 0;
  let isDone = false;
  const done = counted.then(() => {
    isDone = true;
  });
  expect(arena.dig(`needle.${suffix}`)).toContain('status: REFUSED');
  expect(isDone).toBe(false);
  await until(
    () => {
      worst = Math.max(worst, arena.load().rssMb);
      return isDone;
    },
    'the flood to end',
    120_000,
  );
  await done;
  const [asked = 0, refused = 0, seconds = 1] = (await counted).split(' ').map(Number);
  expect(refused).toBe(asked);
  const totals = seal();
  const all = arena.records().filter((record) => !before.has(JSON.stringify(record)));
  const records = all.filter(isOf(suffix, 'names'));
  process.stdout.write(
    `${suffix}: ${asked} questions, ${Math.round(asked / seconds)} a second, ${records.length} records, ` +
      `daemon ${worst.toFixed(0)} MB\n`,
  );
  expect(sum(records)).toBe(asked);
  refusedSoFar += asked + 1;
  expect(totals).toMatchObject({ dns_refused: refusedSoFar, lost: 0 });
  // the proof's question is a record of its own kind
  expect(totals['dns_blocked']).toBe(refusedSoFar - PROOF);
  const needles = all.filter(
    (record) => 'dst_hostname' in record && record.dst_hostname === `needle.${suffix}`,
  );
  expect(needles).toEqual([
    expect.objectContaining({
      event_type: 'dns_blocked',
      process: expect.stringMatching(/^(?:dig|isc-net)/u),
    }),
  ]);
  expect(needles[0]).not.toHaveProperty('count');
  expect(worst).toBeLessThan(RSS_MB);
  return { records, seconds };
}

/** Sends questions faster than anybody reads them, and no answer is waited for. */
const BLAST = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('${RESOLVER}', 53))
for i in range(20000): s.send(b'\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\5blast\\4evil\\4test\\0\\0\\1\\0\\1')
`;

test('case 91, one refused name asked 60,000 times, and another name once', async () => {
  const { records, seconds } = await flood('one.evil.test', 60_000, 1);
  expect(new Set(records.map(({ dst_hostname: name }) => name))).toEqual(
    new Set(['n0.one.evil.test']),
  );
  expect(records.length).toBeLessThan(65 * (seconds + 2));
  told.closed(91, 'a flood of one refused name and another name in it');
}, 180_000);

test('case 132, 60,000 refused names, and another name once', async () => {
  const { records, seconds } = await flood('ever.evil.test', 60_000, 60_000);
  expect(records.length).toBeLessThan(RECORDS_A_SECOND * (seconds + 2));
  expect(records.some((record) => !('dst_hostname' in record))).toBe(true);
  told.closed(132, 'a flood of ever new refused names and another name in it');
}, 180_000);

test('case 132, refused names of 100 processes, and another name once', async () => {
  const { records, seconds } = await flood('pool.evil.test', 600, 600, 100);
  expect(records.length).toBeLessThan(16 * 100 + (2 * 256 + 2 * 100) * (seconds + 2));
  told.closed(132, 'a flood of refused names by 100 processes and another name in it');
  expect(schemaFaults(arena.log())).toEqual([]);
}, 180_000);

test('case 91, questions that come faster than they are read are counted, each of them', async () => {
  const before = seal();
  expect(arena.python(BLAST)).toBe('');
  const read = ({ dns_questions: questions = 0, dropped = 0 }: ReturnType<typeof seal>) =>
    questions + dropped;
  await until(() => read(seal()) - read(before) >= 20_000, 'every question to be counted', 20_000);
  const after = seal();
  expect(read(after) - read(before)).toBe(20_000);
  expect(after['dropped']).toBeGreaterThan(before['dropped'] ?? 0);
  expect(after['dns_blocked']).toBe((after['dns_refused'] ?? 0) - PROOF);
  told.closed(91, 'questions that come faster than they are read');
}, 60_000);
