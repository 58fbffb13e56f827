// The command that gives sudo back when keeper and loader have been killed (threats.md 107, 109): only once
// the worker they guarded has exited, and never when that can't be known.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { Told } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import { Lab, line, until } from '../lab/lab.ts';
import { expectUndone, loaderOf, logOf, pidsOf, statusOf } from '../lab/loader-processes.ts';
import { loaderArguments, settings, startWorker } from '../lab/started.ts';

const UNLOCK = ['/run/cargowall/bin/loader', 'unlock'] as const;
const RUNNING = 5;
const lab = new Lab('unlock');
const told = new Told();
/** Whose child the worker is: it asks for no exit code. */
let parent: Awaited<ReturnType<typeof startWorker>>;
let worker = 0;

beforeEach(async () => {
  await lab.open();
  parent = await startWorker(lab);
  const said = line(parent, 'worker ');
  const source =
    'import os, time; w = os.fork(); print("worker", w, flush=True) if w else time.sleep(600)';
  parent.stdin?.write(`${source}\n`);
  worker = Number((await said).split(' ')[1]);
  const options = { '--uid': '1001' };
  const loader = lab.spawn([...loaderArguments(lab, worker, options), '--lockdown']);
  loader.stdin?.write(settings({ mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] }));
  await line(loader, '"green"');
});
afterEach(() => lab.close());
afterAll(() => told.print());

/** Ends keeper, loader and daemon. */
async function endAll(): Promise<void> {
  await until(() => {
    // again: one may have been starting another
    const left = pidsOf(lab, 'cargowall.loader').map(String);
    spawnSync('kill', ['-9', ...left]);
    return left.length + pidsOf(lab, 'cargowall.daemon').length === 0;
  }, 'their end');
}

const unlock = (...before: string[]) => lab.run(...before, ...UNLOCK).code;
const isLocked = () => lab.run('head', '-1', '/etc/sudoers').stdout.includes('cargowall');

test('while a keeper or a loader lives it gives nothing back, whatever the worker does', async () => {
  expect(unlock()).toBe(RUNNING);
  const { keeper, proper } = loaderOf(lab);
  for (const pid of [keeper, proper]) process.kill(pid, 'SIGSTOP');
  process.kill(worker, 'SIGKILL');
  expect(unlock()).toBe(RUNNING);
  expect(isLocked()).toBe(true);
  process.kill(keeper, 'SIGKILL');
  expect(unlock()).toBe(RUNNING);
  expect(isLocked()).toBe(true);
  process.kill(proper, 'SIGCONT');
  await expectUndone(lab);
  expect(isLocked()).toBe(false);
  told.closed(107, 'unlock, while keeper or loader live');
});

test('while the worker lives it gives nothing back, nor where that can not be known', async () => {
  await endAll();
  expect(unlock()).toBe(RUNNING);
  process.kill(worker, 'SIGSTOP');
  expect(unlock()).toBe(RUNNING);
  expect(unlock('unshare', '-pf', '--mount-proc')).toBe(RUNNING);
  expect(unlock('unshare', '-pf')).toBe(RUNNING);
  expect(unlock('unshare', '-m', 'sh', '-c', 'umount -l /proc; exec "$@"', 'sh')).toBe(RUNNING);
  for (const room of [3, 4, 5]) {
    const limited = unlock('prlimit', `--nofile=${room}`);
    expect([4, RUNNING]).toContain(limited);
  }
  expect(isLocked()).toBe(true);
  told.closed(107, 'unlock, while the worker lives');
});

test.each([
  ['is missing', 'rm /run/cargowall/worker', RUNNING],
  ['is empty', 'echo > /run/cargowall/worker', RUNNING],
  ['says less', 'echo 4000000 1 > /run/cargowall/worker', RUNNING],
  ['is of another session’s processes', 'echo 4000000 1 1 > /run/cargowall/worker', RUNNING],
  ['stands without its lock', 'rm /run/cargowall.lock', 4],
])('a record that %s gives nothing back', async (_what, damage, code) => {
  await endAll();
  expect(lab.run('sh', '-c', damage).code).toBe(0);
  process.kill(worker, 'SIGKILL');
  expect(unlock()).toBe(code);
  expect(isLocked()).toBe(true);
});

test('a worker that has exited and was asked for no exit code is gone', async () => {
  await endAll();
  process.kill(worker, 'SIGKILL');
  await until(() => statusOf(worker, 'State') === 'Z', 'its end');
  expect(unlock()).toBe(0);
  expect(isLocked()).toBe(false);
  expect(logOf(lab)).not.toContain('restarted');
});

/** A process with a number of our choice: clone3 with set_tid. */
const TAKE = `
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True); tid = ctypes.c_int(int(sys.argv[1]))
args = ctypes.create_string_buffer(struct.pack('<11Q', 0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(tid), 1, 0))
got = libc.syscall(435, args, 88)
if got == 0: time.sleep(600); os._exit(0)
print('has', got, flush=True); time.sleep(600)`;

test('a number that is another process’s by now is no worker', async () => {
  await endAll();
  process.kill(worker, 'SIGKILL');
  parent.stdin?.write('os.waitpid(w, 0)\n');
  await until(() => statusOf(worker, 'State') === undefined, 'its end');
  const taker = lab.spawn(['/usr/bin/python3', '-c', TAKE, String(worker)]);
  expect(await line(taker, 'has')).toContain(String(worker));
  expect(unlock()).toBe(0);
  expect(isLocked()).toBe(false);
  spawnSync('kill', ['-9', String(worker), String(taker.pid)]);
});

/** Runs a program whose output nobody reads any more. */
const UNREAD = `
import os, sys
r, w = os.pipe(); os.set_blocking(w, False)
try:
    while True: os.write(w, bytes(4096))
except BlockingIOError: os.set_blocking(w, True)
os.dup2(w, 1); os.set_inheritable(r, True); os.execv(sys.argv[1], sys.argv[1:])`;

test('one whose words nobody reads keeps nobody from a start', async () => {
  await endAll();
  const waiting = lab.spawn(['/usr/bin/python3', '-c', UNREAD, ...UNLOCK]);
  const writes = () => readFileSync(`/proc/${waiting.pid}/syscall`, 'utf8').startsWith('1 0x1 ');
  await until(() => statusOf(waiting.pid ?? 0, 'Name') !== 'python3' && writes(), 'its words');
  expect(lab.run('flock', '-n', '/run/cargowall.lock', 'true').code).toBe(0);
  expect(isLocked()).toBe(true);
});
