// The loader as a black box: every exit code, the undoing of a start, and what survives a kill.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy } from '../lab/entries.ts';
import { cgroupMount, Lab, line, OTHER4, until } from '../lab/lab.ts';
import {
  events,
  jobConnect,
  loaderArguments,
  settings,
  start,
  startWorker,
} from '../lab/started.ts';

const lab = new Lab('life');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };

beforeEach(() => lab.open());
afterEach(() => lab.close());

/** What the job gets for a refused and for an untouched connect. */
function connect(): string {
  return jobConnect(lab, OTHER4);
}

/** Pids in one of the loader's cgroups. */
function pids(name: string): number[] {
  const text = readFileSync(`${lab.cgroup}/${name}/cgroup.procs`, 'utf8');
  return text.split('\n').filter(Boolean).map(Number);
}

/** A line of a process's status; undefined when it is gone. */
function statusOf(pid: number, name: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The loader proper is the one whose parent, the keeper, is in the same cgroup; a daemon that is being
 * born is there for a moment too, as the loader's child.
 */
function findLoader(): { proper: number; keeper: number } | undefined {
  const all = pids('cargowall.loader');
  const pairs = all.map((proper) => ({ proper, keeper: Number(statusOf(proper, 'PPid')) }));
  const children = pairs.filter(({ keeper }) => all.includes(keeper));
  return children.find(({ keeper }) => !children.some(({ proper }) => proper === keeper));
}

function processes(): { proper: number; keeper: number } {
  const found = findLoader();
  if (found === undefined) throw new Error('there is no loader with its keeper');
  return found;
}

/** Nothing of a session is left, and nothing is refused any more. */
async function expectUndone(): Promise<void> {
  await until(() => !lab.exists('/run/cargowall/control.sock'), 'the mounts are gone');
  await until(
    () => spawnSync('test', ['-e', `${lab.cgroup}/cargowall.loader`]).status === 1,
    'the cgroups are gone',
  );
  expect(connect()).toBe('ConnectionRefusedError');
}

function exitCode(command: readonly string[], input = ''): { code: number | null; text: string } {
  const [file = '', ...words] = lab.enter(command);
  const done = spawnSync(file, words, { input, encoding: 'utf8', timeout: 15_000 });
  return { code: done.status, text: done.stdout };
}

test('unknown arguments are a usage error', () => {
  expect(exitCode([...loaderArguments(lab, process.pid), '--nonsense', 'x']).code).toBe(2);
});

test.each([
  ['--uid', 'abc'],
  ['--uid', '-1'],
  ['--worker', '12x'],
])('%s %s is a usage error', (name, value) => {
  expect(exitCode(loaderArguments(lab, process.pid, { [name]: value })).code).toBe(2);
});

test('a path outside cgroup2 is a usage error', () => {
  expect(exitCode(loaderArguments(lab, process.pid, { '--cgroup': '/tmp' })).code).toBe(2);
});

test('the root cgroup is refused, with the reason', () => {
  const done = exitCode(loaderArguments(lab, process.pid, { '--cgroup': cgroupMount() }));
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
  const done = exitCode(
    loaderArguments(lab, process.pid, { '--node': '/nonexistent/node' }),
    settings(closed),
  );
  expect(done.code).toBe(6);
  expect(done.text).toContain('/nonexistent/node');
  await expectUndone();
});

test('an object the kernel refuses is unsupported, and everything is undone', async () => {
  const changed = { '--object': '/etc/passwd' };
  const done = exitCode(loaderArguments(lab, process.pid, changed), settings(closed));
  expect(done.code).toBe(3);
  await expectUndone();
});

test('a second instance is refused while the first goes on', async () => {
  await start(lab, closed);
  const worker = await startWorker(lab);
  const done = exitCode(loaderArguments(lab, worker.pid ?? 0), settings(closed));
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
  await expectUndone();
});

test('the death of the daemon before green undoes the start', async () => {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
  loader.stdin?.write(settings({ ...closed, hold: true }));
  await line(loader, '"flipped"');
  const ended = line(loader, '"error"');
  for (const pid of pids('cargowall.daemon')) process.kill(pid, 'SIGKILL');
  expect(JSON.parse(await ended)).toMatchObject({ error: { code: 'failed' } });
  await expectUndone();
});

test('the death of the keeper before green leaves nothing in force, and the next start is green', async () => {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0));
  loader.stdin?.write(settings({ ...closed, hold: true }));
  await line(loader, '"flipped"');
  process.kill(processes().keeper, 'SIGKILL');
  await until(() => connect() === 'ConnectionRefusedError', 'nothing is refused');
  await start(lab, closed);
  expect(connect()).toBe('PermissionError');
});

test('the front process ends at green and leaves no pipe open', async () => {
  const { loader } = await start(lab, closed);
  if (loader.exitCode === null) await new Promise((resolve) => loader.once('close', resolve));
  expect(loader.exitCode).toBe(0);
});

test('after green a killed daemon comes back, and no record is lost', async () => {
  const { green } = await start(lab, closed);
  expect(connect()).toBe('PermissionError');
  process.kill(green.pid, 'SIGKILL');
  expect(connect()).toBe('PermissionError');
  await until(() => logged().includes('restarted'), 'the daemon is back');
  await until(
    () => events(lab).filter((one) => one.destination === OTHER4).length >= 2,
    'both records',
  );
});

test('after green a killed loader comes back on its pinned programs, and no record is lost', async () => {
  const { green } = await start(lab, closed);
  for (const pid of [processes().proper, green.pid]) process.kill(pid, 'SIGKILL');
  expect(connect()).toBe('PermissionError');
  await until(() => logged().includes('restarted'), 'loader and daemon are back');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
});

/** Ends the keeper and waits until the loader has taken its place. */
async function replaceKeeper(): Promise<void> {
  const before = processes();
  process.kill(before.keeper, 'SIGKILL');
  await until(() => findLoader()?.keeper === before.proper, 'the loader keeps a new one');
}

const logged = () => lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;

test('after green the loader takes the place of a killed keeper, and it is told', async () => {
  const { worker } = await start(lab, closed);
  await replaceKeeper();
  expect(connect()).toBe('PermissionError');
  await until(() => logged().includes('the keeper had been ended'), 'the notice');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  // another one is still refused, and so are the duties done: a loader is started again …
  const other = exitCode(loaderArguments(lab, worker.pid ?? 0), settings(closed));
  expect(other.code).toBe(5);
  const restarts = () => logged().split('restarted').length - 1;
  const before = restarts();
  process.kill(processes().proper, 'SIGKILL');
  await until(() => restarts() > before, 'a new loader and its daemon');
  expect(connect()).toBe('PermissionError');
  expect(logged().split('the keeper had been ended')).toHaveLength(2);
  // … and the worker's exit tears down
  worker.kill('SIGKILL');
  await expectUndone();
});

test('keepers that are killed again and again leave one daemon, one loader and one keeper', async () => {
  const { worker } = await start(lab, closed);
  for (let round = 0; round < 4; round++) await replaceKeeper();
  await until(() => pids('cargowall.daemon').length === 1, 'one daemon');
  expect(pids('cargowall.loader')).toHaveLength(2);
  expect(connect()).toBe('PermissionError');
  worker.kill('SIGKILL');
  await expectUndone();
});

test('a keeper that dies with its worker tears down all the same', async () => {
  const { worker } = await start(lab, closed);
  for (const pid of [processes().keeper, worker.pid ?? 0]) process.kill(pid, 'SIGKILL');
  await expectUndone();
});

test('the death of keeper and loader leaves the job closed, and the next start clears their remains', async () => {
  await start(lab, closed);
  for (const pid of pids('cargowall.loader')) process.kill(pid, 'SIGKILL');
  await until(() => pids('cargowall.daemon').length === 0, 'the daemon dies with them');
  expect(connect()).toBe('PermissionError');
  const { green } = await start(lab, closed);
  expect(green).toMatchObject({ wall: 0, pin: 0 });
  expect(connect()).toBe('PermissionError');
  expect(logged()).not.toContain('restarted');
  const mounts = lab.run('grep', '-c', ' /run/cargowall', '/proc/self/mounts').stdout.trim();
  expect(mounts).toBe('3');
});

test.each(['keeper', 'loader'])('a stopped %s does not stop the session', async (which) => {
  const { worker } = await start(lab, closed);
  const { keeper, proper } = processes();
  const stopped = which === 'loader' ? proper : keeper;
  process.kill(stopped, 'SIGSTOP');
  expect(connect()).toBe('PermissionError');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  const goesOn = () =>
    findLoader() !== undefined &&
    pids('cargowall.loader').every((pid) => statusOf(pid, 'State') !== 'T');
  await until(goesOn, 'keeper and loader run');
  worker.kill('SIGKILL');
  await expectUndone();
});

test('a daemon that stands still does not outlive its loader', async () => {
  const { green } = await start(lab, closed);
  process.kill(green.pid, 'SIGSTOP');
  process.kill(processes().proper, 'SIGKILL');
  await until(() => {
    const now = pids('cargowall.daemon');
    return now.length === 1 && now[0] !== green.pid;
  }, 'one daemon, a new one');
});

test('a daemon that gives no sign of life is replaced', async () => {
  const { green } = await start(lab, closed);
  process.kill(green.pid, 'SIGSTOP');
  const isReplaced = () => {
    const now = pids('cargowall.daemon');
    return now.length === 1 && now[0] !== green.pid;
  };
  await until(isReplaced, 'a new daemon', 20_000);
  expect(connect()).toBe('PermissionError');
});

test('the log can be added to, never cut', async () => {
  await start(lab, closed);
  connect();
  const cut = lab.run('truncate', '-s', '0', '/run/cargowall/records/audit.jsonl');
  expect(cut.stderr).toContain('Operation not permitted');
});

test('nothing of the environment it was started in can be read', async () => {
  await start(lab, closed);
  for (const pid of pids('cargowall.loader')) {
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
  }
});

test("the worker's exit tears everything down", async () => {
  const { worker } = await start(lab, closed);
  expect(connect()).toBe('PermissionError');
  worker.kill('SIGKILL');
  await expectUndone();
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
