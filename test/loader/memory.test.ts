// Memory that runs out, as the kernel ends it (threats.md 108, 111): the daemon's alone, the loader's alone,
// and the machine's, which a job has taken.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';
import { daemonOf, loaderOf, logOf } from '../lab/loader-processes.ts';
import { MemoryBound } from '../lab/memory.ts';
import { jobConnect } from '../lab/started.ts';

const OTHER = '198.51.100.20';
const NAME = 'registry.example.com';
const ALLOW = { allow: `${NAME}:443` };
const MIB = 1 << 20;

const cases: string[] = [];
let guarded: Guarded;
let bound: MemoryBound | undefined;
beforeEach(async () => {
  guarded = new Guarded('memory');
  await guarded.open();
});
afterEach(async () => {
  writeFileSync('/proc/self/oom_score_adj', '0');
  guarded.close();
  await bound?.close();
  bound = undefined;
});
afterAll(() => {
  tell(cases.map((one) => `case ${one}: closed`));
});

const isServed = () => guarded.run('getent', 'ahostsv4', NAME).code === 0;
const restarts = () => logOf(guarded.lab).split('"daemon_restarted"').length - 1;
const daemon = () => daemonOf(guarded.lab);

/** Attempts at one port each, all of them refused. */
function attempt(ports: readonly number[]): void {
  const script = `
import socket
for port in ${JSON.stringify(ports)}:
    try: socket.create_connection(('${OTHER}', port), 1); print('connected')
    except PermissionError: print('refused')`;
  const { stdout } = guarded.run('/usr/bin/python3', '-c', script);
  expect(stdout.trim().split('\n')).toEqual(ports.map(() => 'refused'));
}

/** Every attempt is in the log, or among what was lost. */
async function expectTold(ports: readonly number[]): Promise<void> {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"status"}\\n'); print(s.makefile().readline())`;
  await until(() => {
    const status = guarded.run('/usr/bin/python3', '-c', script).stdout;
    const { lost = {} } = JSON.parse(status) as { lost?: Record<string, number> };
    const told = ports.filter((port) => logOf(guarded.lab).includes(`"dst_port":${port},`));
    return told.length + (lost['records'] ?? 0) + (lost['events'] ?? 0) >= ports.length;
  }, 'the records');
}

const PORTS = (from: number) => Array.from({ length: 40 }, (_, index) => from + index);

test('a daemon the kernel ends for want of memory is started again, and every attempt is told', async () => {
  await guarded.guard(ALLOW);
  bound = new MemoryBound(guarded.lab, 2 * MIB);
  const first = daemon();
  bound.add(first);
  const flood = `
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000):
    label = os.urandom(20).hex().encode()
    q = os.urandom(2) + b'\\x01\\x00\\x00\\x01' + bytes(6) + bytes([len(label)]) + label
    for l in '${NAME}'.split('.'): q += bytes([len(l)]) + l.encode()
    s.sendto(q + b'\\0\\0\\1\\0\\1', ('192.0.2.53', 53))`;
  await until(
    () => {
      guarded.run('/usr/bin/python3', '-c', flood);
      return (bound?.kills ?? 0) > 0;
    },
    'the kernel ends it',
    30_000,
  );
  attempt(PORTS(2000));
  await until(() => restarts() > 0 && isServed(), 'names are served again', 20_000);
  expect(daemon()).not.toBe(first);
  await expectTold(PORTS(2000));
  cases.push('111, the daemon is ended for want of memory');
}, 60_000);

test('a loader the kernel ends for want of memory is started again on the pinned programs', async () => {
  await guarded.guard(ALLOW);
  const { proper } = loaderOf(guarded.lab);
  bound = new MemoryBound(guarded.lab, 4096);
  bound.add(proper);
  process.kill(daemon(), 'SIGKILL'); // which it has to start again
  attempt(PORTS(3000));
  await until(() => (bound?.kills ?? 0) > 0, 'the kernel ends it');
  await until(() => restarts() > 0 && isServed(), 'names are served again', 25_000);
  expect(loaderOf(guarded.lab).proper).not.toBe(proper);
  attempt(PORTS(4000));
  await expectTold([...PORTS(3000), ...PORTS(4000)]);
  cases.push('111, the loader is ended for want of memory');
}, 60_000);

/** A step's own value, as runners set it. */
const STEP = 500;
/** Many processes that are each smaller than the daemon, in one bound with it. */
const HOGS = `
import os, sys
open(sys.argv[1] + '/cgroup.procs', 'w').write('0')
for i in range(60):
    if os.fork() == 0:
        held = []
        while True: held.append(b'x' * (1 << 20)) if len(held) < 24 else __import__('time').sleep(0.01)
print('ready', flush=True)
ended = 0
while ended < 20: ended += os.WIFSIGNALED(os.wait()[1])
print('ended', flush=True)
`;

test('a job that takes all memory ends before keeper, loader and daemon do', async () => {
  // the lab's processes are this one's children, and have its value as a step's have the runner's
  writeFileSync('/proc/self/oom_score_adj', String(STEP));
  await guarded.guard(ALLOW);
  bound = new MemoryBound(guarded.lab, 300 * MIB);
  const { keeper, proper } = loaderOf(guarded.lab);
  const ours = [keeper, proper, daemon()];
  const value = (pid: number) => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
  // -900 needs CAP_SYS_RESOURCE, which root may lack here
  const lowest = spawnSync('choom', ['-n', '-900', '--', 'true']).status === 0 ? -900 : 0;
  expect(ours.map(value)).toEqual([lowest, lowest, lowest]);
  for (const pid of ours) bound.add(pid);
  const hogs = guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', HOGS, bound.path]);
  expect(value(hogs.pid ?? 0)).toBe(STEP);
  await line(hogs, 'ended', 20_000);
  expect(bound.kills).toBeGreaterThan(0);
  hogs.kill('SIGKILL');
  spawnSync('sh', ['-c', `kill -9 $(cat ${guarded.lab.job}/cgroup.procs)`]);
  expect([loaderOf(guarded.lab), daemon()]).toEqual([{ keeper, proper }, ours[2]]);
  expect(restarts()).toBe(0);
  expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
  await until(isServed, 'names are served');
  cases.push('108, a memory hog');
}, 60_000);
