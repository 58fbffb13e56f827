// A flood of refused datagrams, and one other destination that is tried once in the middle of it: it
// has its own record, nothing is lost uncounted, and memory stays where it is.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent, SessionEnded } from '../../src/core/audit/event.ts';
import { schemaFaults } from '../lab/audit-schema.ts';
import { line, until } from '../lab/lab.ts';
import { ATTACKER, DnsArena, HOME } from './dns-arena.ts';
import { Told } from './told.ts';

const arena = new DnsArena('flood');
const told = new Told();
const FLOOD = resolve('build/test-bypass/flood');
const CONNECT = resolve('build/test-bypass/connect');
const NEEDLE = '203.0.113.99';
const SPRAYED = '203.0.113.98';
const SECOND_NEEDLE = '203.0.113.97';
const RATE = 200_000;
const SECONDS = 10;
const RSS_MB = 120;
/** Of the flood's own records: two million attempts. */
const LOG_BYTES = 1.2e6;
/** Refused calls of the proof. */
const PROOF_CALLS = 4;

beforeAll(async () => {
  execFileSync('make', ['-s', '-C', 'test/bypass/flood']);
  await arena.open();
  await arena.guard({ allow: `${HOME}:443, barrier.example:443` });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

function connectRate(): number {
  const { stdout, stderr } = arena.run(CONNECT, 'rate', HOME, '443', '2000');
  if (stdout === '') throw new Error(stderr);
  return Number(stdout);
}

/** Writes the checkpoint, and reads it. */
function seal(): SessionEnded {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"seal"}\\n'); print(s.recv(65536).decode())
`;
  arena.guarded.run('/usr/bin/python3', '-c', script);
  const ended = arena.records().findLast(({ event_type: kind }) => kind === 'session_ended');
  if (ended?.event_type !== 'session_ended') throw new Error('the session was not sealed');
  return ended;
}

function isTo(address: string) {
  return (record: object): record is AuditEvent => 'dst_ip' in record && record.dst_ip === address;
}

test(`case 132, ${RATE} refused datagrams a second and one destination between them`, async () => {
  const alone = connectRate();
  const { lab } = arena.guarded;
  const flood = lab.spawn([FLOOD, ATTACKER, '9', String(RATE), String(SECONDS)]);
  const counted = line(flood, ' ', 60_000);
  let worst = 0;
  let isDone = false;
  const done = counted.then(() => {
    isDone = true;
  });
  const under = connectRate();
  expect(arena.connect(NEEDLE)).toBe('PermissionError');
  await until(
    () => {
      worst = Math.max(worst, arena.load().rssMb);
      return isDone;
    },
    'the flood to end',
    60_000,
  );
  await done;
  const [made = 0, refused = 0, seconds = 1] = (await counted).split(' ').map(Number);
  const sumTo = (address: string) =>
    arena
      .records()
      .filter(isTo(address))
      .reduce((sum, { count = 1 }) => sum + count, 0);
  await until(() => sumTo(ATTACKER) >= made, 'the log to have every attempt', 20_000);
  const ended = seal();
  const attempts = arena.records().filter(isTo(ATTACKER));
  process.stdout.write(
    `flood: ${made} attempts, ${Math.round(made / seconds)} a second, ${attempts.length} records, ` +
      `daemon ${worst.toFixed(0)} MB, connect rate under the flood ${(under / alone).toFixed(2)} of the rate without\n`,
  );
  expect(refused).toBe(made);
  expect(sumTo(ATTACKER)).toBe(made);
  expect(ended.totals['calls_denied']).toBe(made + 1 + PROOF_CALLS);
  expect(Object.entries(ended.lost).filter(([, number]) => number > 0)).toEqual([]);
  expect(attempts.length).toBeLessThan(65 * (seconds + 2));
  for (const { pid, process: comm } of attempts) expect([pid, comm]).toEqual([flood.pid, 'flood']);
  const needles = arena.records().filter(isTo(NEEDLE));
  expect(needles).toEqual([
    expect.objectContaining({
      event_type: 'connection_blocked',
      dst_port: 443,
      process: 'python3',
    }),
  ]);
  expect(worst).toBeLessThan(RSS_MB);
  const bytes = attempts.reduce((sum, one) => sum + JSON.stringify(one).length, 0);
  expect(bytes).toBeLessThan(LOG_BYTES);
  told.closed(132, 'a flood and one destination in it');
  told.closed(143, 'a flood does not fill the log');
}, 180_000);

test('case 132, a flood over 60,000 ports and one destination in it', async () => {
  const before = seal().lost['events'] ?? 0;
  const { lab } = arena.guarded;
  const flood = lab.spawn([FLOOD, SPRAYED, '1024', String(RATE), '5', '60000']);
  const counted = line(flood, ' ', 60_000);
  expect(arena.connect(SECOND_NEEDLE)).toBe('PermissionError');
  const [made = 0, refused = 0] = (await counted).split(' ').map(Number);
  expect(refused).toBe(made);
  const ofFlood = () =>
    arena
      .records()
      .filter((record): record is AuditEvent => 'pid' in record && record.pid === flood.pid);
  const recorded = () => ofFlood().reduce((sum, { count = 1 }) => sum + count, 0);
  await until(() => recorded() >= made, 'every attempt to be told', 30_000);
  process.stdout.write(`flood over ports: ${made} attempts, ${ofFlood().length} records\n`);
  expect(recorded()).toBe(made);
  expect((seal().lost['events'] ?? 0) - before).toBe(0);
  expect(arena.records().filter(isTo(SECOND_NEEDLE))).toHaveLength(1);
  const beyond = arena
    .log()
    .split('\n')
    .filter((text) => text.includes('"connection_blocked"') && !text.includes('"dst_ip"'));
  expect(beyond.length).toBeGreaterThan(0);
  expect(schemaFaults(beyond.join('\n'))).toEqual([]);
  expect(arena.load().rssMb).toBeLessThan(RSS_MB);
  told.closed(132, 'a flood over 60,000 ports and one destination in it');
}, 180_000);
