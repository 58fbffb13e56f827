// Attempts that need more than a socket: a partner, another cgroup, a helper, a name. Each with
// what the same path lets through.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { line } from '../lab/lab.ts';
import { ALLOWED, Arena, ATTACKER, POLICY } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('procs');
const told = new Told();
/** Another address of an allowed server. */
const OTHER = '198.51.101.9';
const SEND = 'datagram().sendto(M, (TO, 9))';

beforeAll(async () => {
  await arena.open();
  await arena.guard({
    ...POLICY,
    allow: `${POLICY.allow}\n${ALLOWED}:8443/tcp\n${OTHER}:8443/tcp`,
  });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

test('case 2 (U), a batch of which one is allowed', async () => {
  const script = `
libc = ctypes.CDLL(None, use_errno=True)
class V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('n', ctypes.c_size_t)]
class H(ctypes.Structure): _fields_ = [('name', ctypes.c_void_p), ('nl', ctypes.c_uint), ('v', ctypes.c_void_p), ('vl', ctypes.c_size_t), ('c', ctypes.c_void_p), ('cl', ctypes.c_size_t), ('f', ctypes.c_int)]
class E(ctypes.Structure): _fields_ = [('h', H), ('l', ctypes.c_uint)]
all, keep = (E * 3)(), []
for i, a in enumerate(['${ALLOWED}', TO, '${ALLOWED}']):
    at = ctypes.create_string_buffer(struct.pack('<H', 2) + struct.pack('>H', 9) + socket.inet_aton(a) + bytes(8), 16)
    text = ctypes.create_string_buffer(M if a == TO else b'mark-ok%d!' % i); v = V(ctypes.addressof(text), len(text) - 1); keep += [at, text, v]
    all[i].h = H(ctypes.addressof(at), 16, ctypes.addressof(v), 1, None, 0, 0)
s = datagram()
if libc.sendmmsg(s.fileno(), all, 3, 0) != 1: raise OSError(0, 'not one')`;
  const tried = arena.attempt('U', script, '203.0.112.2');
  expect(tried.stdout.trim()).toBe('sent');
  expect(await arena.hasArrived('mark-ok0!', true)).toBe(true);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf('203.0.112.2')).toMatchObject([
    { layer: 'sendmsg', process: 'python3' },
  ]);
  told.closed(2, 'a batch of which one is allowed');
});

/** A multipath server that tells of another address of its own, and says who joins there. */
const MPTCP = (address: string) => `
import os, socket, subprocess
run = lambda words: subprocess.run(words.split(), check=True)
run('ip mptcp endpoint flush'); run('ip mptcp limits set subflows 4 add_addr_accepted 4')
run('ip mptcp endpoint add ${address} signal')
s = socket.socket(2, 1, 262); s.setsockopt(1, 2, 1); s.bind(('', 8443)); s.listen(4)
print('ready', flush=True)
c, _ = s.accept(); c.recv(100); c.sendall(b'x')
while c.recv(100): pass
`;
/** Talks until the kernel has tried the other address; how many have joined, and failed to. */
const TALK = `
def joins():
    rows = [l.split() for l in open('/proc/net/netstat') if l.startswith('MPTcpExt')]
    of = dict(zip(*rows)); return int(of['MPJoinSynAckRx']), int(of['MPJoinSynTxConnectErr'])
s = socket.socket(2, 1, 262); s.settimeout(5); was = joins()
s.connect(('${ALLOWED}', 8443)); s.sendall(b'x'); s.recv(1)
for i in range(200):
    s.sendall(b'y'); time.sleep(0.02)
    if joins() != was: break
print(joins()[0] - was[0], joins()[1] - was[1], end=' ')`;

test.each([
  ['an allowed address', OTHER, true],
  ['one nobody has allowed', '203.0.112.6', false],
])('case 6 (U), a subflow the server asks for, to %s', async (_what, address, passes) => {
  const { guarded } = arena;
  const limits = 'ip mptcp limits set subflows 4 add_addr_accepted 4';
  expect(guarded.run('sh', '-c', limits).stderr).toBe('');
  await guarded.lab.serve(`
import subprocess
subprocess.run(['ip', 'addr', 'add', '${address}/32', 'dev', 'lo'], check=True)
print('ready', flush=True)`);
  const server = await guarded.lab.serve(MPTCP(address));
  const talked = arena.attempt('U', TALK, ALLOWED);
  server.kill('SIGKILL');
  expect(talked.stdout.trim()).toBe(passes ? '1 0 sent' : '0 1 sent');
  if (passes) return;
  expect((await arena.blocksOf(address))[0]).toMatchObject({ protocol: 'TCP', dst_port: 8443 });
  told.closed(6, 'a subflow the server asks for');
});

test('case 18 (U), what answers a connection from outside', async () => {
  const { lab } = arena.guarded;
  const marker = arena.marker();
  const answer = `
s = socket.socket(); s.bind(('192.0.2.2', 8080)); s.listen(1); print('listening', flush=True)
c, _ = s.accept(); c.sendall(M)`;
  const listener = lab.spawn([...arena.words('U', answer, ATTACKER, marker)]);
  await line(listener, 'listening');
  const caller = (from: string) =>
    lab.serve(`print('ready', flush=True)
import socket
s = socket.socket(); s.settimeout(1); s.bind(('${from}', 0))
try: s.connect(('192.0.2.2', 8080)); print('connected', flush=True)
except OSError as e: print(type(e).__name__, flush=True)
`);
  expect(await line(await caller(ATTACKER), 'Error')).toBe('TimeoutError');
  expect(await arena.blocksOf(ATTACKER)).toMatchObject([{ protocol: 'TCP' }]);
  expect(await arena.hasArrived(marker, false)).toBe(false);
  listener.kill();
  told.closed(18, 'what answers a connection from outside');
});

test('case 18 (U), a simultaneous open', async () => {
  const { lab } = arena.guarded;
  // the other side opens from the port the job opens to, again and again
  const other = await lab.serve(`print('ready', flush=True)
import socket
for i in range(8):
    s = socket.socket(); s.setsockopt(1, 2, 1); s.settimeout(0.2); s.bind(('198.51.100.30', 7000))
    try: s.connect(('192.0.2.2', 7001)); print('connected', flush=True); break
    except OSError: s.close()
print('over', flush=True)
`);
  const open = `s = socket.socket(); s.settimeout(1); s.bind(('192.0.2.2', 7001)); s.connect((TO, 7000)); s.sendall(M)`;
  const tried = arena.attempt('U', open, '198.51.100.30');
  expect(await line(other, 'o')).toBe('over');
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  told.closed(18, 'a simultaneous open');
});

/** A helper that sends what it is told, in a cgroup of its own. */
const HELPER = `
import os, socket
if os.path.exists('/run/helper.sock'): os.unlink('/run/helper.sock')
s = socket.socket(socket.AF_UNIX); s.bind('/run/helper.sock'); os.chmod('/run/helper.sock', 0o777); s.listen(4)
print('ready', flush=True)
while True:
    c, _ = s.accept(); to, text = c.recv(200).decode().split(' ')
    try: socket.socket(2, 2).sendto(text.encode(), (to, 9)); c.sendall(b'sent')
    except OSError as e: c.sendall(type(e).__name__.encode())
    c.close()
`;

test('case 34 (U), a helper in another cgroup is asked', async () => {
  const { lab } = arena.guarded;
  const other = join(lab.cgroup, 'helper');
  await arena.inCgroup(other, async () => {
    const helper = lab.spawn(['/usr/bin/python3', '-u', '-c', HELPER], other);
    await line(helper, 'ready');
    const ask = `
s = socket.socket(socket.AF_UNIX); s.connect('/run/helper.sock'); s.sendall(TO.encode() + b' ' + M)
print(s.recv(100).decode(), end=' ')`;
    const passed = arena.attempt('U', ask, ALLOWED);
    expect(passed.stdout).toContain('sent sent');
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('U', ask, '203.0.112.34');
    expect(tried.stdout).toContain('PermissionError');
    expect(await arena.blocksOf('203.0.112.34')).toMatchObject([{ pid: helper.pid }]);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  });
  told.closed(34, 'a helper in another cgroup is asked');
});

test("case 38 (D), a container in the machine's own network, with docker's capabilities", async () => {
  const { lab } = arena.guarded;
  const docker = join(lab.cgroup, 'docker');
  await arena.inCgroup(docker, async () => {
    for (const [script, at] of [
      [SEND, 1],
      ['stream()', 2],
      ['s = datagram(); s.setsockopt(1, 36, 0xca12); s.sendto(M, (TO, 9))', 3],
      ['frame4(ipv4(17, udp(M)))', 4],
    ] as const) {
      const send = (to: string, marker: string) => {
        const child = lab.spawn(arena.words('N', script, to, marker), docker);
        return line(child, '');
      };
      const passed = arena.marker();
      expect(await send(ALLOWED, passed)).toBe('sent');
      expect(await arena.hasArrived(passed, true)).toBe(true);
      const tried = arena.marker();
      expect(await send(`203.0.113.${at}`, tried)).toMatch(/Error/u);
      expect(await arena.hasArrived(tried, false)).toBe(false);
      expect(await arena.blocksOf(`203.0.113.${at}`)).toHaveLength(1);
    }
  });
  told.closed(38, "a container in the machine's own network");
});

test('case 44 (U), a network namespace of its own', async () => {
  const inner = `import socket, sys; s = socket.socket(2, 2); s.setsockopt(1, 36, 0xca12); s.sendto(sys.argv[2].encode(), (sys.argv[1], 9))`;
  const frames = `import socket; socket.socket(17, 3, 3).bind(('up0', 0))`;
  for (const script of [inner, frames]) {
    const words = `os.execvp('unshare', ['unshare', '-Urn', '/usr/bin/python3', '-c', ${JSON.stringify(script)}, TO, sys.argv[2]])`;
    const tried = arena.attempt('U', words, '203.0.112.44');
    expect(tried.stderr).toMatch(/not permitted|No such device/iu);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  }
  expect(await arena.blocksOf('203.0.112.44')).toMatchObject([{ origin: 'container' }]);
  const raw = arena.attempt(
    'U',
    `os.execvp('unshare', ['unshare', '-Ur', '/usr/bin/python3', '-c', "import socket; socket.socket(17, 3, 3)"])`,
    ATTACKER,
  );
  expect(raw.stderr).toContain('PermissionError');
  told.closed(44, 'a network namespace of its own');
});

/** Moves itself to another cgroup of the tree, before or after it has made its socket. */
const MOVE = (cgroup: string, first: string) => `
${first}
open('${cgroup}/cgroup.procs', 'w').write('0')
s = globals().get('s') or datagram()
s.sendto(M, (TO, 9))`;

test.each([
  ['before it has a socket', 'pass', '203.0.112.45'],
  ['after it has a socket', 's = datagram()', '203.0.112.46'],
])('case 45 (R), a process that moves to another cgroup, %s', async (what, first, address) => {
  const other = join(arena.guarded.lab.cgroup, 'other');
  const deep = join(other, 'deeper');
  const attempts = async () => {
    const passed = arena.attempt('R', MOVE(deep, first), ALLOWED);
    expect(passed.stdout.trim()).toBe('sent');
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('R', MOVE(deep, first), address);
    expect(tried.stdout).toContain('PermissionError');
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    expect(await arena.blocksOf(address)).toMatchObject([{ process: 'python3' }]);
  };
  await arena.inCgroup(other, () => arena.inCgroup(deep, attempts));
  told.closed(45, `a process that moves to another cgroup, ${what}`);
});

test('case 45 (R), a process that leaves the guarded tree meets the wall of the uplink', async () => {
  const outside = join(arena.guarded.lab.cgroup, '..', `${arena.guarded.lab.runner}-outside`);
  await arena.inCgroup(outside, async () => {
    const passed = arena.attempt('R', MOVE(outside, 's = datagram()'), ALLOWED);
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('R', MOVE(outside, 'pass'), '203.0.112.47');
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    expect(await arena.blocksOf('203.0.112.47')).toMatchObject([{ layer: 'tc' }]);
  });
  told.closed(45, 'a process that leaves the guarded tree');
});

/** A question for the marker's name, to an upstream itself. */
const QUESTION = `
name = bytes([len(M) - 1]) + M[:-1] + b'\\4test\\0'
s = datagram(); s.settimeout(3)
s.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + name + b'\\0\\1\\0\\1', (TO, 53))
assert s.recv(512)[3] & 15 == 5`;

test("case 60 (R), a process that moves to the daemon's cgroup has everyone's rules", async () => {
  const daemon = join(arena.guarded.lab.cgroup, 'cargowall.daemon');
  const move = `open('${daemon}/cgroup.procs', 'w').write('0')`;
  const passed = arena.attempt('R', `${move}; ${SEND}`, ALLOWED);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt('R', `${move}\n${QUESTION}`, '192.0.2.53');
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  await arena.barrier();
  const name = `${tried.marker.slice(0, -1)}.test`;
  expect(arena.guarded.heard.filter((text) => text.includes(name))).toEqual([]);
  const isIt = (event: { dst_hostname?: string }) => event.dst_hostname === name;
  expect((await arena.guarded.events((all) => all.some(isIt))).filter(isIt)).toMatchObject([
    { event_type: 'dns_blocked', origin: 'system', process: 'python3' },
  ]);
  told.closed(60, "a process that moves to the daemon's cgroup");
});

test.each([
  ["the runner's name", `ctypes.CDLL(None).prctl(15, b'Runner.Worker', 0, 0, 0)`],
  ['a program of that name at a path of ours', ''],
  ['arguments of another', `ctypes.CDLL(None).prctl(15, b'cargowall', 0, 0, 0)`],
])('case 62 (U), %s', async (what, script) => {
  const body = what.includes('path')
    ? `
import shutil, tempfile
d = tempfile.mkdtemp(prefix='cargowall-'); p = d + '/Runner.Worker'; shutil.copy('/usr/bin/python3', p)
if os.fork() == 0: os.execv(p, ['Runner.Listener', '-c', 'import socket, sys; socket.socket(2, 2).sendto(sys.argv[2].encode(), (sys.argv[1], 9))', TO, sys.argv[2]])
_, status = os.wait(); shutil.rmtree(d)
if status: raise PermissionError(1, 'refused')`
    : `${script}; ${SEND}`;
  const passed = arena.attempt('U', body, ALLOWED);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const to = `203.0.112.${60 + what.length}`;
  const tried = arena.attempt('U', body, to);
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf(to)).toMatchObject([{ origin: 'system', uid: 1001 }]);
  told.closed(62, what);
});
