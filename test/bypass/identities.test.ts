// Who did it, whatever it calls itself: program, start and ancestors in a record are what /proc and stat()
// say of the processes that were there.
import { execFileSync } from 'node:child_process';
import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ancestor, AuditEvent, Exe } from '../../src/core/audit/event.ts';
import { eachLine, until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('who');
const told = new Told();

beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** What is true of a process, read by itself or by its child; `say` prints it of the one that asks. */
const TRUTH = `
import json
def of(path):
    s = os.stat(path); found = {'dev': f'{os.major(s.st_dev)}:{os.minor(s.st_dev)}', 'ino': str(s.st_ino)}
    return found if s.st_nlink else dict(found, deleted=True)
def me(pid):
    text = open(f'/proc/{pid}/stat').read(); at = text.rindex(')'); rest = text[at + 2:].split()
    found = {'pid': pid, 'start_ticks': int(rest[19]), 'process': text[text.index('(') + 1:at]}
    try: found['exe'] = of(f'/proc/{pid}/exe')
    except PermissionError: found['exe'] = None # a machine may hide its pid 1
    return found, int(rest[1])
def chain(pid):
    found = []
    while pid and len(found) < 8:
        one, pid = me(pid); found.append(one)
    return found
def say(ancestry=None, exe=None):
    mine, parent = me(int(os.readlink('/proc/self')))
    mine['exe'] = exe or mine['exe']; mine['ancestry'] = (ancestry or chain(parent))[:8]
    print(json.dumps(mine), flush=True)
libc = ctypes.CDLL(None)
def send(): datagram().sendto(M, (TO, 9))
def bash(path, before=''):
    os.execv(path, ['bash', '-c', f'{before} echo {M.decode()} 2>/dev/null >/dev/udp/{TO}/9 || echo PermissionError'])
`;

interface Truth {
  readonly pid: number | undefined;
  readonly start_ticks: number | undefined;
  readonly process: string | undefined;
  readonly exe: Exe | undefined;
  readonly ancestry: readonly Ancestor[] | undefined;
}

function truthIn(stdout: string): Truth {
  const text = stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1);
  return JSON.parse(text, (_name, value) => value ?? expect.anything()) as Truth;
}

/** What a record says of a process that it does not say itself. */
function kernelsWord(record: AuditEvent | undefined): Omit<Truth, 'process'> {
  const { name: _its, ...exe } = record?.exe ?? { dev: '', ino: '' };
  return { pid: record?.pid, start_ticks: record?.start_ticks, exe, ancestry: record?.ancestry };
}

const PRCTL = `libc.prctl(15, b'Runner.Worker', 0, 0, 0)`;
const ARGV = `
text = open('/proc/self/stat').read(); at = int(text[text.rindex(')') + 2:].split()[45])
ctypes.memmove(at, b'/opt/runner/Runner.Worker spawnclient\\0', 38)`;
const MEMFD = `
fd = os.memfd_create('Runner.Worker', 0); os.write(fd, open('/usr/bin/bash', 'rb').read())
say(exe=of(f'/proc/self/fd/{fd}')); bash(f'/proc/self/fd/{fd}')`;
const DELETED = `
import shutil, tempfile
d = tempfile.mkdtemp(); p = d + '/Runner.Worker'; shutil.copy('/usr/bin/bash', p)
say(exe=dict(of(p), deleted=True)); bash(p, f'rm -r {d};')`;
const ORPHAN = `
r, w = os.pipe()
if os.fork():
    os.close(w); os.read(r, 1)
    raise PermissionError
middle = chain(os.getpid()); own = os.getpid()
if os.fork(): os._exit(0)
while os.getppid() == own: time.sleep(0.001)
say(ancestry=middle)
try: send()
finally: os.write(w, b'x')`;
const THREAD = `
import threading
say(); failed = []
def run():
    libc.prctl(15, b'Runner.Worker', 0, 0, 0)
    try: send()
    except PermissionError: failed.append(1)
t = threading.Thread(target=run); t.start(); t.join()
if failed: raise PermissionError`;
const SHARED = `
s = datagram(); pid = os.fork()
if pid:
    if os.waitpid(pid, 0)[1]: raise PermissionError
else:
    say()
    try: s.sendto(M, (TO, 9)); os._exit(0)
    except PermissionError: os._exit(1)`;

test.each([
  ['a name of its own', `${PRCTL}; say(); send()`, { process: 'Runner.Worker' }],
  ['arguments of another', `${ARGV}; say(); send()`, { process: 'python3' }],
  ['a program in memory', MEMFD, { exe: { name: 'memfd:Runner.Worker', deleted: true } }],
  ['a program that is deleted', DELETED, { exe: { name: 'Runner.Worker', deleted: true } }],
  ['an orphan, whose parent has ended', ORPHAN, { process: 'python3' }],
  ['a thread', THREAD, { process: 'Runner.Worker' }],
  ['a child with the socket of its parent', SHARED, { process: 'python3' }],
  ['packets alone', `say(); raw4(ipv4(17, udp(M)))`, { layer: 'egress' }],
])('case 129 (R), %s', async (what, script, said) => {
  const passed = arena.attempt('R', TRUTH + script, ALLOWED);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const to = `203.0.112.${what.length}`;
  const tried = arena.attempt('R', TRUTH + script, to);
  expect([tried.stdout, tried.stderr]).toEqual([expect.stringContaining('PermissionError'), '']);
  const [record, ...more] = await arena.blocksOf(to);
  expect(more).toEqual([]);
  const { process: _own, ...truth } = truthIn(tried.stdout);
  expect(kernelsWord(record)).toEqual(truth);
  expect(truth.ancestry?.length).toBeGreaterThan(3);
  expect(record).toMatchObject({ origin: 'system', ...said });
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  told.closed(129, what);
});

test('case 129 (R), a process namespace of its own: the ids of the machine', async () => {
  const tried = arena.attempt('R', `${TRUTH}say(); send()`, '203.0.112.90', [
    ...['unshare', '-p', '-f'],
  ]);
  expect([tried.stdout, tried.stderr]).toEqual([expect.stringContaining('PermissionError'), '']);
  const [record] = await arena.blocksOf('203.0.112.90');
  const { process: _own, ...truth } = truthIn(tried.stdout);
  expect(kernelsWord(record)).toEqual(truth);
  expect(record?.ancestry?.[0]).toMatchObject({ process: 'unshare' });
  told.closed(129, 'a process namespace of its own');
});

test('case 129 (R), a program that hands its socket to the next one', async () => {
  const script = `${TRUTH}
s = datagram(); s.connect(('203.0.112.91', 9)); s.set_inheritable(True); say(); print(json.dumps(of('/usr/bin/bash')), flush=True)
os.execv('/usr/bin/bash', ['bash', '-c', f'echo x 2>/dev/null >&{s.fileno()}; echo x 2>/dev/null >/dev/udp/{TO}/9'])`;
  const tried = arena.attempt('R', script, '203.0.112.92');
  const [first = '', second = ''] = tried.stdout.split('\n');
  const [before] = await arena.blocksOf('203.0.112.91');
  const [after] = await arena.blocksOf('203.0.112.92');
  const { process: _own, ...truth } = truthIn(first);
  expect(kernelsWord(before)).toEqual(truth);
  expect(kernelsWord(after)).toEqual({ ...truth, exe: JSON.parse(second) });
  expect([before?.exe?.name, after?.exe?.name]).toEqual([
    expect.stringMatching(/^python/u),
    'bash',
  ]);
  told.closed(129, 'a program that hands its socket to the next one');
});

const PROGRAM = resolve('build/other_exe');
/** The program of the lab's worker. */
const WORKERS = realpathSync('/usr/bin/python3');

test.each([
  ['told by root', arena.wordsOf('R'), '203.0.112.96'],
  ['told in a user namespace', [...arena.wordsOf('U'), 'unshare', '-Ur'], '203.0.112.97'],
])('case 129, the kernel is told of the worker’s program: %s', async (what, before, to) => {
  const flags = [
    '-static',
    '-O1',
    '-fno-stack-protector',
    '-fcf-protection=none',
    '-Wall',
    '-Wextra',
  ];
  execFileSync('cc', [...flags, '-o', PROGRAM, 'test/bypass/other_exe.c'], { stdio: 'inherit' });
  const passing = arena.marker();
  const passed = await arena.ofJob(...before, PROGRAM, WORKERS, ALLOWED, passing);
  expect(passed).toEqual({ stdout: `${WORKERS}\n00\n`, stderr: '' });
  expect(await arena.hasArrived(passing, true)).toBe(true);
  const marker = arena.marker();
  const tried = await arena.ofJob(...before, PROGRAM, WORKERS, to, marker);
  expect(tried).toEqual({ stdout: `${WORKERS}\n01\n`, stderr: '' });
  const [record, ...more] = await arena.blocksOf(to);
  expect(more).toEqual([]);
  const { ino, dev } = statSync(PROGRAM);
  expect(record).toMatchObject({
    origin: 'job',
    process: 'other_exe',
    exe: {
      name: 'other_exe',
      ino: String(ino),
      dev: `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & ~0xff)}`,
    },
  });
  expect(await arena.hasArrived(marker, false)).toBe(false);
  told.closed(129, `the kernel is told of the worker's program: ${what}`);
});

test.each([
  [
    'a process nobody may look at',
    'libc.prctl(4, 0, 0, 0, 0); assert libc.prctl(3) == 0',
    '203.0.112.98',
  ],
  [
    'another personality',
    'libc.personality(0x40008); assert libc.personality(-1) == 0x40008',
    '203.0.112.99',
  ],
])('case 129 (U), %s', async (what, script, to) => {
  const words = arena.words('U', `${TRUTH}say(); ${script}; send()`, to, arena.marker());
  const tried = await arena.ofJob(...words);
  expect([tried.stdout, tried.stderr]).toEqual([expect.stringContaining('PermissionError'), '']);
  const [record, ...more] = await arena.blocksOf(to);
  expect(more).toEqual([]);
  const { process: _own, ...truth } = truthIn(tried.stdout);
  expect(kernelsWord(record)).toEqual(truth);
  expect(record).toMatchObject({ origin: 'job', process: 'python3' });
  told.closed(129, what);
});

/** The daemon's pid; 0 while there is none. */
function daemonPid(): number {
  const ask = `
import json, socket
c = socket.socket(socket.AF_UNIX); c.settimeout(2); c.connect('/run/cargowall/control.sock')
c.sendall(b'{"command":"status"}\\n'); print(json.loads(c.makefile().readline())['pid'])`;
  return Number(arena.guarded.lab.run('/usr/bin/python3', '-c', ask).stdout);
}

test('case 129 (R), a daemon that comes back is told again', async () => {
  const script = `${TRUTH}say()
for to in sys.stdin:
    try: datagram().sendto(M, (to.strip(), 9))
    except PermissionError: print('refused', flush=True)`;
  const child = arena.guarded.lab.spawn(arena.words('R', script, ALLOWED, arena.marker()));
  const said: string[] = [];
  eachLine(child, (text) => said.push(text));
  await until(() => said.length === 1, 'the truth');
  const { process: _own, ...truth } = truthIn(said[0] ?? '');
  const tryAt = async (to: string) => {
    child.stdin?.write(`${to}\n`);
    const [record] = await arena.blocksOf(to);
    expect(kernelsWord(record)).toEqual(truth);
  };
  await tryAt('203.0.112.93');
  const before = daemonPid();
  process.kill(before, 'SIGKILL');
  await until(() => ![0, before].includes(daemonPid()), 'the daemon to come back');
  await tryAt('203.0.112.94');
  child.kill('SIGKILL');
  told.closed(129, 'a daemon that comes back is told again');
});
