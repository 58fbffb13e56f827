// Case 8: io_uring, which sends without the calls of sockets, by whoever submits it.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALLOWED, Arena, ATTACKER } from './arena.ts';
import { Told } from './told.ts';

const PROGRAM = resolve('build/bypass/uring');
const arena = new Arena('uring');
const told = new Told();

beforeAll(async () => {
  mkdirSync('build/bypass', { recursive: true });
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror'];
  execFileSync('cc', [...flags, '-o', PROGRAM, 'test/bypass/uring.c'], { stdio: 'inherit' });
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

const OPERATIONS = ['connect', 'sendmsg', 'send_zc', 'sendmsg_zc', 'socket'] as const;
const SUBMITTERS = ['call', 'sqpoll', 'async'] as const;
const CASES = OPERATIONS.flatMap((operation) =>
  SUBMITTERS.map((submitter, at) => ({ operation, submitter, at: 1 + at })),
);

test.each(CASES)('case 8 (U), $operation by $submitter', async ({ operation, submitter, at }) => {
  const user = ['setpriv', '--reuid=1001', '--regid=1001', '--clear-groups', '--'];
  const port = operation === 'connect' ? '443' : '9';
  const send = (to: string) => {
    const marker = arena.marker();
    const words = [...user, PROGRAM, operation, to, port, marker, submitter];
    return { ...arena.guarded.run(...words), marker };
  };
  const passed = send(ALLOWED);
  expect(passed.stdout).toBe('sent\n');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);

  const to = ATTACKER.replace(/\d+$/u, String(100 + OPERATIONS.indexOf(operation) * 10 + at));
  const tried = send(to);
  expect(tried.stdout).toBe('errno 1\n');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  const events = await arena.guarded.events((all) => all.some(({ dst_ip: ip }) => ip === to));
  // the process, whatever thread of the kernel's has sent for it
  expect(events.filter(({ dst_ip: ip }) => ip === to)).toMatchObject([
    {
      event_type: 'connection_blocked',
      blocked: true,
      process: 'uring',
      pid: Number(tried.stderr),
      uid: 1001,
    },
  ]);
  told.closed(8, `io_uring ${operation} by ${submitter}`);
});
