// What loader and daemon need is taken from them (threats.md 111, 126, 143): the job stays refused, what
// is allowed comes back, and the record says what was lost.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';
import { daemonOf, expectUndone, loaderOf, logOf, pidsOf } from '../lab/loader-processes.ts';
import { aSession } from '../lab/session.ts';
import { jobConnect, loaderArguments, startWorker } from '../lab/started.ts';

const REGISTRY = '198.51.100.10';
const OTHER = '198.51.100.20';
const NAME = 'registry.example.com';
const ALLOW = { allow: `${NAME}:443` };

const cases: string[] = [];
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('short');
  await guarded.open();
});
afterEach(() => guarded.close());
afterAll(() => {
  tell(cases.map((one) => `case ${one}: closed`));
});

const connect = (address: string) => jobConnect(guarded.lab, address);
const isServed = () => guarded.run('getent', 'ahostsv4', NAME).code === 0;
const restarts = () => logOf(guarded.lab).split('"daemon_restarted"').length - 1;
const daemon = () => daemonOf(guarded.lab);

/** A request to the control socket and its answer. */
function control(command: string): Record<string, unknown> {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"${command}"}\\n'); print(s.makefile().readline())`;
  return JSON.parse(guarded.run('/usr/bin/python3', '-c', script).stdout);
}

/** The answer's code to a question of the job's, or the exception it got. */
function ask(name: string): string {
  const script = `
import socket, struct
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6)
for l in '${name}'.split('.'): q += bytes([len(l)]) + l.encode()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4)
s.sendto(q + b'\\0\\0\\1\\0\\1', ('192.0.2.53', 53))
try: print('rcode', s.recv(512)[3] & 15)
except OSError as e: print(type(e).__name__)`;
  return guarded.run('/usr/bin/python3', '-c', script).stdout.trim();
}

/** A limit of a running process, set as its own user: root may have no say over others' limits. */
function limit(pid: number, what: string): void {
  const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  const words = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'prlimit'];
  execFileSync('setpriv', [...words, '--pid', String(pid), what]);
}

test('main says that its proof failed: the start is undone, with its reason', async () => {
  const { lab } = guarded;
  const worker = await startWorker(lab);
  const words = { '--daemon': resolve('build/dist/daemon') };
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0, words));
  loader.stdin?.write(`${JSON.stringify(aSession(ALLOW))}\n`);
  await line(loader, '"flipped"');
  expect(connect(OTHER)).toBe('PermissionError');
  const said = line(loader, '"error"');
  loader.stdin?.write('{"proof":"failed","why":"a connect: it was let through"}\n');
  expect(await said).toContain("main's attempts: a connect: it was let through");
  await expectUndone(lab);
  cases.push('111, the proof is refused');
});

test('a dead upstream: green in time, names fail within two seconds, addresses go on', async () => {
  await guarded.guard({
    allow: `${NAME}:443, ${REGISTRY}:443`,
    upstream: { address: '192.0.2.99', port: 53 },
  });
  const since = Date.now();
  expect(ask(NAME)).toBe('rcode 2');
  expect(Date.now() - since).toBeLessThan(3000); // two seconds, and a Python's start
  expect(connect(OTHER)).toBe('PermissionError');
  expect(connect(REGISTRY)).toBe('connected');
  await until(() => logOf(guarded.lab).includes('"dns_upstream_down"'), 'the record');
  cases.push('111, the upstream is dead');
});

test('a full log: refused all the same, names are served, and what was lost is counted', async () => {
  await guarded.guard(ALLOW);
  const used = Number(
    guarded.run('df', '--output=used', '-k', '/run/cargowall/records').stdout.split('\n')[1],
  );
  const resize = (kb: number) =>
    guarded.run('mount', '-o', `remount,size=${kb}k`, '/run/cargowall/records').code;
  expect(resize(used)).toBe(0);
  const attempts = `
import socket
for port in range(2000, 2200):
    try: socket.create_connection(('${OTHER}', port), 1); print('connected')
    except PermissionError: pass`;
  expect(guarded.run('/usr/bin/python3', '-c', attempts).stdout).toBe('');
  expect(isServed()).toBe(true);
  const lost = () => (control('status')['lost'] as { records?: number }).records ?? 0;
  await until(() => lost() > 0, 'the loss is counted');
  expect(restarts()).toBe(0);
  expect(resize(65_536)).toBe(0);
  expect(connect(OTHER)).toBe('PermissionError');
  await guarded.events((all) => all.some(({ dst_port: port }) => port === 443));
  expect(control('seal')).toMatchObject({
    sealed: true,
    mode: 'enforce',
    lost: { records: lost() },
  });
  cases.push('143, the log is full');
});

test('a daemon that may open no file: nothing opens, and its successor serves again', async () => {
  await guarded.guard(ALLOW);
  const first = daemon();
  limit(first, '--nofile=12:12');
  for (let round = 0; round < 8; round++) ask(`n${round}.${NAME}`);
  expect(connect(OTHER)).toBe('PermissionError');
  expect(connect(REGISTRY)).toBe('connected');
  // it may have ended by itself
  if (pidsOf(guarded.lab, 'cargowall.daemon').includes(first)) process.kill(first, 'SIGKILL');
  await until(() => restarts() > 0 && isServed(), 'names are served again');
  expect(connect(OTHER)).toBe('PermissionError');
  cases.push('111, the daemon without descriptors');
});

test('a daemon that gets no memory ends, is started again, and it is told', async () => {
  await guarded.guard(ALLOW);
  limit(daemon(), '--data=1:1');
  const flood = `
import os, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + 3
while time.monotonic() < end:
    for i in range(64):
        label = os.urandom(20).hex().encode()
        q = os.urandom(2) + b'\\x01\\x00\\x00\\x01' + bytes(6) + bytes([len(label)]) + label
        for l in '${NAME}'.split('.'): q += bytes([len(l)]) + l.encode()
        s.sendto(q + b'\\0\\0\\1\\0\\1', ('192.0.2.53', 53))
    time.sleep(0.01)`;
  const isReplaced = () => {
    guarded.run('/usr/bin/python3', '-c', flood);
    return restarts() > 0;
  };
  await until(isReplaced, 'a new daemon', 40_000);
  await until(isServed, 'names are served again');
  expect(connect(OTHER)).toBe('PermissionError');
  cases.push('111, the daemon without memory');
}, 60_000);

test('a loader that can not start its daemon again gives way to one that can', async () => {
  await guarded.guard(ALLOW);
  const { proper } = loaderOf(guarded.lab);
  limit(proper, '--nofile=8:8');
  process.kill(daemon(), 'SIGKILL');
  expect(connect(OTHER)).toBe('PermissionError');
  await until(() => restarts() > 0 && isServed(), 'names are served again', 25_000);
  expect(loaderOf(guarded.lab).proper).not.toBe(proper);
  expect(connect(OTHER)).toBe('PermissionError');
  cases.push('111, the loader without descriptors');
}, 60_000);

test('an uplink that goes and comes back has its wall, and what is allowed goes on', async () => {
  await guarded.guard(ALLOW);
  const ip = (...words: string[]) => execFileSync('ip', ['-n', guarded.lab.runner, ...words]);
  for (let round = 0; round < 3; round++) {
    ip('link', 'set', 'up0', 'down');
    ip('link', 'set', 'up0', 'up');
    ip('route', 'replace', 'default', 'via', '192.0.2.1');
    expect(connect(OTHER)).toBe('PermissionError');
  }
  await until(() => connect(REGISTRY) === 'connected', 'what is allowed');
  await until(isServed, 'names are served');
  expect(logOf(guarded.lab)).not.toContain('"tamper"');
  cases.push('35, an uplink that goes and comes back');
});

test('a wall clock that jumps by days moves no grant and no record', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-clock-'));
  try {
    cpSync('build/dist/daemon', folder, { recursive: true });
    // every reading of the daemon's wall clock is some days off, another way each time
    const jumps = `{ const now = Date.now; let n = 0;
const jump = () => now() + [0, 864e5, -864e5, 9e8, -9e8][n++ % 5];
const { Date: Real } = globalThis;
globalThis.Date = class extends Real { constructor(...a) { if (a.length > 0) super(...a); else super(jump()); } };
globalThis.Date.now = jump; }\n`;
    const index = join(folder, 'index.js');
    const source = readFileSync(index, 'utf8');
    const imports = /^(?:import[^\n]*\n)*/.exec(source)?.[0] ?? '';
    writeFileSync(index, imports + jumps + source.slice(imports.length));
    const from = Date.now();
    const times = { grantFloorMs: 3000, grantCapMs: 3000 };
    await guarded.guard({ ...ALLOW, times }, { '--daemon': folder });
    await until(() => ask(NAME) === 'rcode 0', 'an answer');
    const granted = Date.now();
    expect(connect(REGISTRY)).toBe('connected');
    // the kernel's whole seconds behind three of them
    await until(() => connect(REGISTRY) === 'PermissionError', 'the end of the grant', 8000);
    expect(Date.now() - granted).toBeGreaterThan(2000);
    const events = await guarded.events((all) => all.some(({ blocked }) => blocked));
    for (const { timestamp } of events) {
      expect(Date.parse(timestamp)).toBeGreaterThan(from - 2000);
      expect(Date.parse(timestamp)).toBeLessThan(Date.now() + 2000);
    }
    cases.push('126, the wall clock jumps');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
