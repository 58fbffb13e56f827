// Who did it: names a process gives itself, processes that are gone before anybody looks, questions
// that come through others.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent, AuditRecord } from '../../src/core/audit/event.ts';
import { BPF } from '../lab/bpf.ts';
import { line, until } from '../lab/lab.ts';
import { ATTACKER, DnsArena, OK, RESOLVER } from './dns-arena.ts';
import { Told } from './told.ts';

const arena = new DnsArena('attr');
const told = new Told();
const FORKS = resolve('build/test-bypass/forks');
const COUNT = 10_000;

beforeAll(async () => {
  execFileSync('make', ['-s', '-C', 'test/bypass/flood']);
  await arena.open();
  await arena.guard({ allow: `${OK}:443, barrier.example:443` });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

function isTo(address: string) {
  return (record: AuditRecord): record is AuditEvent =>
    'dst_ip' in record && record.dst_ip === address;
}

test('case 129, a name, an argument list and a program that is gone', async () => {
  const script = `
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
libc.prctl(15, b'Runner.Worker', 0, 0, 0)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: s.sendto(b'x', ('203.0.113.1', 9))
except PermissionError: print(os.getpid())
`;
  const pid = Number(arena.python(script));
  const deleted = arena.run(
    ...['sh', '-c', 'd=$(mktemp -d) && cp /usr/bin/bash $d/systemd && exec "$@"', 'sh'],
    ...['sh', '-c', '$d/systemd -c "rm -r $d; echo x > /dev/udp/203.0.113.2/9"; true'],
  );
  expect(deleted.code).toBe(0);
  const named = await arena.block('203.0.113.1', 9);
  expect(named).toMatchObject({ process: 'Runner.Worker', pid, uid: 1001, origin: 'system' });
  expect(named.cgroup).toMatch(/^\d+$/u);
  told.closed(129, 'a name of its own is shown as it is, beside pid, uid, cgroup and origin');
  told.limit(129, 'what the process called itself is shown too', 'L7');
});

test('case 130, 10,000 processes that are gone at once', async () => {
  const forks = arena.guarded.lab.spawn([FORKS, ATTACKER, '443', String(COUNT)]);
  const pids: string[] = [];
  let text = '';
  forks.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await until(() => text.includes('done'), 'the processes to end', 100_000);
  for (const one of text.split('\n')) if (/^\d+$/u.test(one)) pids.push(one);
  expect(pids).toHaveLength(COUNT);
  const isIt = isTo(ATTACKER);
  await until(() => arena.records().filter(isIt).length >= COUNT, 'the records', 30_000);
  const events = arena.records().filter(isIt);
  expect(events).toHaveLength(COUNT);
  const program = events[0]?.exe;
  const wrong = events.filter(
    ({ process: comm, pid, exe, ancestry }) =>
      comm !== `gone-${pid}` ||
      exe?.name !== 'forks' ||
      exe.ino !== program?.ino ||
      ancestry?.[0]?.pid !== forks.pid,
  );
  expect(wrong).toEqual([]);
  expect(events.map(({ pid }) => String(pid)).sort()).toEqual([...pids].sort());
  told.closed(130, `${COUNT} processes that are gone at once`);
}, 180_000);

test('case 131, two sockets of one address and port in two namespaces', async () => {
  const ask = (name: string, marker: string) => `
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('${name}', 34567)); s.settimeout(3)
s.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + bytes([${marker.length}]) + b'${marker}\\4evil\\4test\\0\\0\\1\\0\\1', ('${RESOLVER}', 53))
print(s.recv(512)[3] & 15)
`;
  const [here, there] = [arena.marker(), arena.marker()];
  expect(arena.python(ask('0.0.0.0', here))).toBe('5');
  const { lab } = arena.guarded;
  expect(lab.runBoxed('/usr/bin/python3', '-c', ask('0.0.0.0', there)).stdout.trim()).toBe('5');
  expect(await arena.refusal(`${here}.evil.test`)).toMatchObject({ uid: 1001, origin: 'system' });
  expect(await arena.refusal(`${there}.evil.test`)).toMatchObject({
    origin: 'container',
    src_ip: '172.30.0.2',
  });
  told.closed(131, 'one port in two namespaces');
});

/** Asks from a port of its own, and stays. */
const ASK_FROM = `
import os, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 34568))
s.connect(('${RESOLVER}', 53)); s.send(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + b'\\4evil\\4test\\0\\0\\1\\0\\1')
print('asked', os.getpid(), flush=True)
`;

test('case 131 (U), a namespace of its own speaks for no port of the machine', () => {
  const asked = arena.python(ASK_FROM);
  const alone = ['unshare', '-Urn', 'sh', '-c', 'ip link set lo up && ip route add default dev lo'];
  const sent = arena.run(
    ...alone.slice(0, -1),
    `${alone.at(-1)} && exec python3 -c "$0"`,
    ASK_FROM,
  );
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  const owner = `${BPF}
key = bytes(10) + b'\\xff\\xff' + socket.inet_aton('127.0.0.1') + struct.pack('<HBx', 34568, 17)
value = lookup(get('/run/cargowall/bpf/map_owners'), key, 96)
print('asked', struct.unpack_from('<I', value, 48)[0])`;
  const { stdout, stderr } = arena.guarded.run('/usr/bin/python3', '-c', owner);
  expect([stdout.trim(), stderr]).toEqual([asked, '']);
  told.closed(131, 'one port in a namespace of the job’s own');
});

test('case 145, a question that comes through a forwarder is the forwarder’s', async () => {
  const script = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.11', 53)); print('ready', flush=True)
while True:
    q, who = s.recvfrom(512)
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(3); u.sendto(q, ('${RESOLVER}', 53)); s.sendto(u.recv(4096), who)
`;
  const { lab } = arena.guarded;
  const box = ['nsenter', `--net=/run/cw-netns/${lab.box}`];
  const forwarder = lab.spawn([...box, '/usr/bin/python3', '-u', '-c', script]);
  await line(forwarder, 'ready');
  const name = `${arena.marker()}.evil.test`;
  expect(lab.runBoxed('dig', '+tries=1', '+time=3', '@127.0.0.11', name).stdout).toContain(
    'REFUSED',
  );
  const record = await arena.refusal(name);
  expect(record).toMatchObject({ origin: 'container', process: 'python3' });
  expect(record.pid).toBe(forwarder.pid);
  expect(record.exe?.name).toMatch(/^python/u);
  told.closed(145, 'a question through a forwarder is labelled with the forwarder');
});

test('case 134, what was refused first and opened later has both records', async () => {
  const late = 'late.barrier.example';
  expect(arena.connect('198.51.100.11')).toBe('PermissionError');
  const refused = await arena.block('198.51.100.11', 443);
  await arena.answers(late, { name: late, type: 'A', ttl: 60, data: '198.51.100.11' });
  expect(arena.dig(late)).toContain('198.51.100.11');
  const isLate = ({ event_type: type, dst_ip: to }: AuditEvent) =>
    type === 'connection_late_allowed' && to === '198.51.100.11';
  const events = await arena.events((all) => all.some(isLate));
  expect(events.filter(({ dst_ip: to }) => to === '198.51.100.11')).toMatchObject([
    { event_type: 'connection_blocked', timestamp: refused.timestamp, blocked: true },
    { event_type: 'connection_late_allowed', dst_hostname: late, pid: refused.pid, blocked: false },
  ]);
  told.closed(134, 'both facts are kept');
});
