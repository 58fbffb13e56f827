// Files planted before the start at every path it writes (threats.md 113 to 115): nothing is followed,
// nothing is cut, nothing hangs. The lab's /run is its own, so root plants here what nobody else could.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { tell } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import { Lab, OTHER4, until } from '../lab/lab.ts';
import { startToEnd } from '../lab/loader-processes.ts';
import { jobConnect, loaderArguments, settings, start, startWorker } from '../lab/started.ts';

const lab = new Lab('plant');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };
const cases: string[] = [];
const CANARY = '/mnt/canary';

beforeEach(async () => {
  await lab.open();
  sh(
    `mkdir -p ${CANARY}/bpf && cd ${CANARY} && echo untouched > file && touch bpf/file control.sock`,
  );
});
afterEach(() => lab.close());
afterAll(() => {
  tell(cases.map((one) => `${one}: closed`));
});

function sh(script: string): string {
  const done = lab.run('sh', '-ec', script);
  if (done.code !== 0) throw new Error(`${script}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** The canary has what it had, and nothing more. */
function expectUntouched(): void {
  expect(
    sh(
      `cat ${CANARY}/file; cd ${CANARY}; find . | sort; grep -c ${CANARY} /proc/self/mounts || true`,
    ),
  ).toBe('untouched\n.\n./bpf\n./bpf/file\n./control.sock\n./file\n0\n');
}

test.each([
  ['a symlink to a directory', `ln -s ${CANARY} /run/cargowall`],
  ['a symlink to a file', `ln -s ${CANARY}/file /run/cargowall`],
  ['a symlink to nothing', `ln -s ${CANARY}/new /run/cargowall`],
  ['a file', `cp ${CANARY}/file /run/cargowall`],
  ['a FIFO', 'mkfifo /run/cargowall'],
])("%s in the run directory's place is refused and named", async (what, plant) => {
  sh(plant);
  const worker = await startWorker(lab);
  const done = startToEnd(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
  expect(done.code).toBe(6);
  expect(done.text).toMatch(/"start-failed","message":"\/run\/cargowall: /);
  expectUntouched();
  expect(lab.run('cat', '/proc/self/mounts').stdout).not.toContain('cargowall');
  expect(jobConnect(lab, OTHER4)).toBe('ConnectionRefusedError');
  cases.push(`case 115, ${what} in the run directory's place`);
});

test('what lies in a directory of that name is not used', async () => {
  sh(`mkdir -p /run/cargowall/bin/daemon /run/cargowall/records
cd /run/cargowall
echo 'process.exit(7)' > bin/daemon/index.js
ln -s ${CANARY}/file records/audit.jsonl
ln ${CANARY}/file records/hard 2>/dev/null || true
mkfifo session.json control.sock sudoers`);
  await start(lab, closed);
  expect(jobConnect(lab, OTHER4)).toBe('PermissionError');
  expectUntouched();
  cases.push('case 113, stale files of a session', 'case 114, a daemon bundle laid ready');
});

test.each([
  ['a symlink', `ln -s ${CANARY}/file /run/cargowall.lock`, 'Too many levels of symbolic links'],
  ['a symlink to nothing', `ln -s ${CANARY}/new /run/cargowall.lock`, 'Too many levels'],
  ['a directory', 'mkdir /run/cargowall.lock', 'Is a directory'],
])("%s in the lock file's place is refused and named", async (what, plant, why) => {
  sh(plant);
  const worker = await startWorker(lab);
  const done = startToEnd(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
  expect(done.code).toBe(4);
  expect(done.text).toContain(`/run/cargowall.lock: ${why}`);
  expectUntouched();
  cases.push(`case 115, ${what} in the lock file's place`);
});

test.each([
  [
    'a hard link',
    `cp ${CANARY}/file /run/target && ln /run/target /run/cargowall.lock`,
    'untouched\n',
  ],
  ['a FIFO', 'mkfifo /run/cargowall.lock && echo untouched > /run/target', 'untouched\n'],
])("%s in the lock file's place neither hangs the start nor is cut", async (what, plant, left) => {
  sh(plant);
  await start(lab, closed);
  expect(jobConnect(lab, OTHER4)).toBe('PermissionError');
  expect(sh('cat /run/target')).toBe(left);
  cases.push(`case 115, ${what} in the lock file's place`);
});

test('what the job sees of a session it can not write, and none of it holds a secret', async () => {
  await start(lab, closed);
  const asJob = (script: string) =>
    lab.run('setpriv', '--reuid=1001', '--regid=1001', '--clear-groups', 'sh', '-c', script);
  const writable = asJob(
    'find /run/cargowall /run/cargowall.lock -writable ! -type s ! -type l 2>/dev/null',
  );
  expect(writable.stdout).toBe('');
  for (const path of ['session.json', 'bpf', 'bin/node', 'records/../session.json']) {
    expect(asJob(`cat /run/cargowall/${path} || ls /run/cargowall/${path}/`).code).not.toBe(0);
  }
  const made = asJob(
    'for d in $(find /run/cargowall -type d); do touch $d/x 2>/dev/null && echo $d; done',
  );
  expect(made.stdout).toBe('');
  cases.push("case 114, the job writes the daemon's files");
});

test('a socket left by a start without keeper is no session: the next start is green', async () => {
  await start(lab, closed);
  sh(`for p in $(cat ${lab.cgroup}/cargowall.loader/cgroup.procs); do kill -9 $p; done`);
  await until(
    () => sh(`cat ${lab.cgroup}/cargowall.daemon/cgroup.procs`) === '',
    'the daemon dies with them',
  );
  sh('umount -l /run/cargowall/bpf; rm -rf /run/cargowall/bin');
  const { green } = await start(lab, closed);
  expect(green).toMatchObject({ wall: 0, pin: 0 });
  expect(jobConnect(lab, OTHER4)).toBe('PermissionError');
});
