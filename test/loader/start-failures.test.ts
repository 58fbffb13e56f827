// Every step of a start made to fail in turn (threats.md 111, 112): its message says what happened, what
// was done is undone, nothing of the job's is refused, and it never ends green with less than it said.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { tell } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import { Lab, line, OTHER4 } from '../lab/lab.ts';
import { expectUndone, startHeld, startToEnd } from '../lab/loader-processes.ts';
import {
  jobConnect,
  loaderArguments,
  settings,
  standInFolder,
  start,
  startWorker,
} from '../lab/started.ts';

const lab = new Lab('fail');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };
const cases: string[] = [];
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cargowall-fail-'));
  await lab.open();
});
afterEach(() => {
  lab.close();
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => {
  tell(cases.map((one) => `case 111, ${one}: closed`));
});

/** The words before the loader's own, and changed options. */
interface Trouble {
  readonly before?: readonly string[];
  readonly options?: () => Record<string, string>;
  readonly make?: () => void;
  readonly code: number;
  readonly says: RegExp;
}

/** A daemon bundle whose index.js is this. */
function bundle(source: string): string {
  const path = join(folder, 'daemon');
  mkdirSync(path);
  writeFileSync(join(path, 'index.js'), source);
  writeFileSync(join(path, 'package.json'), '{"type":"module"}\n');
  return path;
}

/** The eBPF object with something done to its bytes. */
function damaged(damage: (bytes: Buffer) => Buffer): string {
  const path = join(folder, 'egress.bpf.o');
  writeFileSync(path, damage(readFileSync('build/bpf/egress.bpf.o')));
  return path;
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

/** Holds every port the proxy would take. */
async function takePorts(): Promise<void> {
  const script = `
import socket
held = []
for port in range(15353, 15853):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', port)); held.append(s)
print('ready', flush=True)
import threading; threading.Event().wait()
`;
  await line(lab.spawn(['/usr/bin/python3', '-c', script]), 'ready');
}

/** A tracer that makes system calls fail: the third mount of the keeper's is that of BPF. */
const TRACED = ['strace', '-f', '-qq', '-o', '/dev/null'];

const TROUBLES: Record<string, Trouble> = {
  'no mount is allowed': {
    before: ['setpriv', '--bounding-set=-sys_admin'],
    code: 6,
    says: /"start-failed","message":"\/run\/cargowall: Operation not permitted"/,
  },
  'no mount of the BPF file system is allowed': {
    before: [...TRACED, '-e', 'inject=mount:error=EPERM:when=3'],
    code: 6,
    says: /"start-failed","message":"\/run\/cargowall\/bpf: Operation not permitted"/,
  },
  '/run has no room': {
    make: () => {
      const used = lab.run('df', '--output=iused', '/run').stdout.split('\n')[1]?.trim();
      expect(lab.run('mount', '-o', `remount,nr_inodes=${used}`, '/run').stderr).toBe('');
    },
    code: 4,
    says: /"message":"[^"]*No space left on device"/,
  },
  'what is run finds no room': {
    before: [...TRACED, '-e', 'inject=sendfile:error=ENOSPC:when=1'],
    code: 6,
    says: /"start-failed","message":"[^"]*node: No space left on device"/,
  },
  'the hierarchy takes no further cgroup': {
    make: () => writeFileSync(`${lab.cgroup}/cgroup.max.descendants`, '2'),
    code: 6,
    says: /"start-failed","message":"[^"]*\/cargowall\.loader: Resource temporarily unavailable"/,
  },
  'the hierarchy takes one cgroup of two': {
    make: () => writeFileSync(`${lab.cgroup}/cgroup.max.descendants`, '3'),
    code: 6,
    says: /"start-failed","message":"[^"]*\/cargowall\.daemon: Resource temporarily unavailable"/,
  },
  'the object is empty': {
    options: () => ({ '--object': damaged(() => Buffer.alloc(0)) }),
    code: 3,
    says: /"unsupported","message":"the kernel refused the eBPF object/,
  },
  'the object ends in the middle': {
    options: () => ({ '--object': damaged((bytes) => bytes.subarray(0, bytes.length / 2)) }),
    code: 3,
    says: /"unsupported"/,
  },
  'the instructions of the object are zeros': {
    options: () => ({ '--object': damaged((bytes) => bytes.fill(0, 64, bytes.length / 2)) }),
    code: 3,
    says: /"unsupported"/,
  },
  'the object is missing': {
    options: () => ({ '--object': join(folder, 'none') }),
    code: 6,
    says: /"start-failed","message":"[^"]*none: No such file or directory"/,
  },
  'no BPF is allowed': {
    before: ['setpriv', '--bounding-set=-bpf,-sys_admin', 'sh', '-c', 'exec "$@"', 'sh'],
    code: 6,
    says: /Operation not permitted/,
  },
  'node is missing': {
    options: () => ({ '--node': join(folder, 'node') }),
    code: 6,
    says: /"start-failed","message":"[^"]*node: No such file or directory"/,
  },
  'node is no program': {
    options: () => ({ '--node': file('node', 'not a program\n') }),
    code: 6,
    says: /"daemon","message":"the daemon could not be started: \/run\/cargowall\/bin\/node: Exec format error"/,
  },
  'node is a script': {
    options: () => ({ '--node': file('node', '#!/bin/sh\nexit 0\n') }),
    code: 6,
    says: /"message":"the (daemon could not be started|loader or the daemon ended)/,
  },
  'node ends at once': {
    options: () => ({ '--node': '/bin/false' }),
    code: 6,
    says: /"failed","message":"the loader or the daemon ended before the wall stood"/,
  },
  "the daemon's bundle is damaged": {
    options: () => ({ '--daemon': bundle('\u0000\u0001 this is no program') }),
    code: 6,
    says: /"failed","message":"the loader or the daemon ended before the wall stood"/,
  },
  "the daemon's bundle is missing": {
    options: () => ({ '--daemon': folder }),
    code: 6,
    says: /"start-failed","message":"index\.js: No such file or directory"/,
  },
  "half of the daemon's bundle is missing": {
    options: () => {
      copyFileSync(join(standInFolder(), 'index.js'), join(folder, 'index.js'));
      return { '--daemon': folder };
    },
    code: 6,
    says: /"start-failed","message":"package\.json: No such file or directory"/,
  },
  'the daemon babbles': {
    options: () => ({
      '--daemon': bundle(`import { writeSync } from 'node:fs';
writeSync(3, Buffer.alloc(4096, 255)); setInterval(() => {}, 1000);`),
    }),
    code: 6,
    says: /"failed","message":"the loader or the daemon ended before the wall stood"/,
  },
  'the worker is gone': {
    options: () => ({ '--worker': '4194303' }),
    code: 6,
    says: /"failed","message":"the worker can not be watched: No such process"/,
  },
};

describe('a start fails, says why and is undone when', () => {
  test.each(Object.entries(TROUBLES))('%s', async (what, trouble) => {
    const worker = await startWorker(lab);
    trouble.make?.();
    const words = loaderArguments(lab, worker.pid ?? 0, trouble.options?.());
    const done = await startHeld(lab, [...(trouble.before ?? []), ...words], settings(closed));
    expect(done.text).toMatch(trouble.says);
    expect(done.text).not.toContain('green');
    expect(done.code).toBe(trouble.code);
    await expectUndone(lab);
    cases.push(what);
  });

  test("every port of the proxy's is taken", async () => {
    await takePorts();
    const worker = await startWorker(lab);
    const done = await startHeld(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
    expect(done.text).toMatch(
      /"start-failed","message":"the proxy's sockets: Address already in use"/,
    );
    expect(done.code).toBe(6);
    await expectUndone(lab);
    cases.push("every port of the proxy's is taken");
  });

  test('there are more uplinks than can be covered', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `many${index}`);
    const lines = names.map((name) => `link add link up0 name ${name} type macvlan`);
    lab.run('sh', '-c', `printf '${lines.join('\\n')}\\n' | ip -batch -`);
    const worker = await startWorker(lab);
    const done = await startHeld(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
    expect(done.text).toMatch(/"unsupported","message":"interface many\d+ could not be covered: /);
    expect(done.code).toBe(3);
    await expectUndone(lab);
    cases.push('an uplink can not be covered');
  });

  test.each([6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48])('it may open %i files', async (limit) => {
    const worker = await startWorker(lab);
    const words = loaderArguments(lab, worker.pid ?? 0);
    const command = ['prlimit', `--nofile=${limit}:${limit}`, ...words];
    const done = await startHeld(lab, command, settings(closed));
    expect(done.text).not.toContain('"green"');
    expect(done.text).toMatch(/"error".*(Too many open files|Invalid argument)/);
    expect(done.code).not.toBe(0);
    await expectUndone(lab);
    cases.push(`it may open ${limit} files`);
  });

  test.each([2, 4, 6, 8, 12])('it may have %i MB of memory', async (limit) => {
    const worker = await startWorker(lab);
    const words = loaderArguments(lab, worker.pid ?? 0);
    const bytes = limit * 1024 * 1024;
    const done = await startHeld(lab, ['prlimit', `--as=${bytes}`, ...words], settings(closed));
    expect(done.text).not.toContain('"green"');
    expect(done.code).not.toBe(0);
    await expectUndone(lab);
    cases.push(`it may have ${limit} MB of memory`);
  });
});

describe('main ends', () => {
  test.each([
    ['before it has said anything', ''],
    ['in the middle of its settings', settings(closed).slice(0, -10)],
    ['with more than settings may be', 'x'.repeat((4 << 20) + 1)],
  ])('%s: nothing was begun', async (what, input) => {
    const worker = await startWorker(lab);
    const done = startToEnd(lab, loaderArguments(lab, worker.pid ?? 0), input);
    expect(done.code).toBe(2);
    expect(done.text).toContain('no settings on stdin');
    await expectUndone(lab);
    cases.push(`main ends ${what}`);
  });

  test.each(['"attached"', '"daemon"', '"flipped"'])('after %s: all is undone', async (stage) => {
    const worker = await startWorker(lab);
    const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
    loader.stdin?.write(settings({ ...closed, hold: true }));
    const ended = new Promise((done) => loader.once('exit', done));
    await line(loader, stage);
    loader.stdin?.end();
    expect(await ended).toBe(6);
    await expectUndone(lab);
    cases.push(`main ends after ${stage}`);
  });
});

test('remains of cgroups, one port that is taken: the start is green all the same', async () => {
  for (const name of ['cargowall.loader', 'cargowall.daemon']) mkdirSync(`${lab.cgroup}/${name}`);
  const hold = `import socket, threading
s = socket.socket(); s.bind(('127.0.0.1', 15353)); s.listen(); print('ready', flush=True); threading.Event().wait()`;
  await line(lab.spawn(['/usr/bin/python3', '-c', hold]), 'ready');
  const { green } = await start(lab, closed);
  expect(green).toMatchObject({ wall: 0, pin: 0 });
  expect(jobConnect(lab, OTHER4)).toBe('PermissionError');
});

test('after a failed start the next one is green', async () => {
  const worker = await startWorker(lab);
  const bad = loaderArguments(lab, worker.pid ?? 0, { '--node': '/bin/false' });
  expect(startToEnd(lab, bad, settings(closed)).code).toBe(6);
  const { green } = await start(lab, closed);
  expect(green).toMatchObject({ wall: 0, pin: 0 });
  expect(jobConnect(lab, OTHER4)).toBe('PermissionError');
});
