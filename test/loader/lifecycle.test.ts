// The loader as a black box: every exit code, the undoing of a start, what is left open and to whom.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy } from '../lab/entries.ts';
import { cgroupMount, Lab, line, OTHER4, until } from '../lab/lab.ts';
import { expectUndone, loaderOf, pidsOf, startToEnd } from '../lab/loader-processes.ts';
import { jobConnect, loaderArguments, settings, start, startWorker } from '../lab/started.ts';

const lab = new Lab('life');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };

beforeEach(() => lab.open());
afterEach(() => lab.close());

/** What the job gets for a refused and for an untouched connect. */
function connect(): string {
  return jobConnect(lab, OTHER4);
}

test('unknown arguments are a usage error', () => {
  expect(startToEnd(lab, [...loaderArguments(lab, process.pid), '--nonsense', 'x']).code).toBe(2);
});

test.each([
  ['--uid', 'abc'],
  ['--uid', '-1'],
  ['--worker', '12x'],
])('%s %s is a usage error', (name, value) => {
  expect(startToEnd(lab, loaderArguments(lab, process.pid, { [name]: value })).code).toBe(2);
});

test('a path outside cgroup2 is a usage error', () => {
  expect(startToEnd(lab, loaderArguments(lab, process.pid, { '--cgroup': '/tmp' })).code).toBe(2);
});

test('the root cgroup is refused, with the reason', () => {
  const done = startToEnd(lab, loaderArguments(lab, process.pid, { '--cgroup': cgroupMount() }));
  expect(done.code).toBe(4);
  expect(JSON.parse(done.text)).toMatchObject({ error: { code: 'refused' } });
});

test("the machine's own network is refused under never-root", () => {
  const [file = '', ...words] = loaderArguments(lab, process.pid);
  const done = spawnSync(file, words, { encoding: 'utf8' });
  expect(done.status).toBe(4);
  expect(done.stdout).toContain('network namespace');
});

test('a missing node is named, and everything is undone', async () => {
  const done = startToEnd(
    lab,
    loaderArguments(lab, process.pid, { '--node': '/nonexistent/node' }),
    settings(closed),
  );
  expect(done.code).toBe(6);
  expect(done.text).toContain('/nonexistent/node');
  await expectUndone(lab);
});

test('an object the kernel refuses is unsupported, and everything is undone', async () => {
  const changed = { '--object': '/etc/passwd' };
  const done = startToEnd(lab, loaderArguments(lab, process.pid, changed), settings(closed));
  expect(done.code).toBe(3);
  await expectUndone(lab);
});

test('a second instance is refused while the first goes on', async () => {
  await start(lab, closed);
  const worker = await startWorker(lab);
  const done = startToEnd(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
  expect(done.code).toBe(5);
  expect(connect()).toBe('PermissionError');
});

test('the end of main before green undoes the start', async () => {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
  loader.stdin?.write(settings({ ...closed, hold: true }));
  await line(loader, '"flipped"');
  expect(connect()).toBe('PermissionError');
  loader.stdin?.end();
  await expectUndone(lab);
});

test('the death of the daemon before green undoes the start', async () => {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
  loader.stdin?.write(settings({ ...closed, hold: true }));
  await line(loader, '"flipped"');
  const ended = line(loader, '"error"');
  for (const pid of pidsOf(lab, 'cargowall.daemon')) process.kill(pid, 'SIGKILL');
  expect(JSON.parse(await ended)).toMatchObject({ error: { code: 'failed' } });
  await expectUndone(lab);
});

test('the death of the keeper before green leaves nothing in force, and the next start is green', async () => {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
  loader.stdin?.write(settings({ ...closed, hold: true }));
  await line(loader, '"flipped"');
  process.kill(loaderOf(lab).keeper, 'SIGKILL');
  await until(() => connect() === 'ConnectionRefusedError', 'nothing is refused');
  await start(lab, closed);
  expect(connect()).toBe('PermissionError');
});

test('the front process ends at green and leaves no pipe open', async () => {
  const { loader } = await start(lab, closed);
  if (loader.exitCode === null) await new Promise((resolve) => loader.once('close', resolve));
  expect(loader.exitCode).toBe(0);
});

test('the log can be added to, never cut', async () => {
  await start(lab, closed);
  connect();
  const cut = lab.run('truncate', '-s', '0', '/run/cargowall/records/audit.jsonl');
  expect(cut.stderr).toContain('Operation not permitted');
});

test('nothing of the environment it was started in can be read', async () => {
  await start(lab, closed);
  for (const pid of pidsOf(lab, 'cargowall.loader')) {
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
  }
});

test("the worker's exit tears everything down", async () => {
  const { worker } = await start(lab, closed);
  expect(connect()).toBe('PermissionError');
  worker.kill('SIGKILL');
  await expectUndone(lab);
});

test('the daemon has a uid of its own, no capabilities, and can not be looked into', async () => {
  const { green } = await start(lab, closed);
  const status = readFileSync(`/proc/${green.pid}/status`, 'utf8');
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
  expect(uid).toBeGreaterThanOrEqual(61184);
  expect(uid).toBeLessThanOrEqual(65519);
  expect(status).toMatch(/^CapEff:\s+0{16}$/m);
  expect(status).toMatch(/^CapBnd:\s+0{16}$/m);
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  const peek = spawnSync('setpriv', [
    '--reuid',
    String(uid),
    '--clear-groups',
    '--regid',
    String(uid),
    'cat',
    `/proc/${green.pid}/environ`,
  ]);
  expect(peek.status).not.toBe(0);
});

test('the control socket answers root and refuses others', async () => {
  await start(lab, closed);
  const ask = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"status"}\\n'); print(s.recv(4096).decode().strip())
`;
  expect(lab.run('/usr/bin/python3', '-c', ask).stdout.trim()).toBe(
    '{"echo":{"command":"status"}}',
  );
  // the refusal may come before a question could be asked
  const hear = ask.replace(/s\.sendall\(.*?\); /, '');
  const other = lab.run(
    'setpriv',
    '--reuid',
    '65534',
    '--clear-groups',
    '--regid',
    '65534',
    '/usr/bin/python3',
    '-c',
    hear,
  );
  expect(other.stdout).toContain('only root');
});

test('silent clients do not shut the control socket', async () => {
  await start(lab, closed);
  const script = `
import socket
silent = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock'); silent.append(s)
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"status"}\\n'); print(s.recv(4096).decode().strip())
`;
  expect(lab.run('/usr/bin/python3', '-c', script).stdout).toContain('echo');
});
