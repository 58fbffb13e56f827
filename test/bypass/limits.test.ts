// Sockets whose frames no hook for packets sees, and those that need no network: refused where the kernel lets
// us, else told; what is left is a limit the threat model names.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { until } from '../lab/lab.ts';
import { ALLOWED, Arena, ATTACKER, POLICY } from './arena.ts';
import { isDocumented, Told } from './told.ts';

const PROGRAM = resolve('build/bypass/families');
const told = new Told();
beforeAll(() => {
  mkdirSync('build/bypass', { recursive: true });
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror'];
  execFileSync('cc', [...flags, '-o', PROGRAM, 'test/bypass/families.c'], { stdio: 'inherit' });
});
afterAll(() => {
  told.print();
});

const SEND = `
s.bind(('up0', 0))
s.send(b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(M)))`;
const BYPASS = `s = socket.socket(17, 3); s.setsockopt(263, 20, 1)${SEND}`;
/** The same by a call of 32-bit programs. */
const BYPASS_32 = `
import subprocess
s = socket.socket(17, 3)
said = subprocess.run(['${PROGRAM}', 'option', str(s.fileno())], pass_fds=[s.fileno()], capture_output=True)
if said.stdout != b'made\\n': raise PermissionError(1, said)${SEND}`;
/** A ring of its own to a device (if_xdp.h), in copy mode: one frame. */
const xdp = (device: string, mac: string, source: string) => `
import mmap
s = socket.socket(44, 3, 0)
memory = mmap.mmap(-1, 16384); at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
s.setsockopt(283, 4, struct.pack('<QQIIII', at, 16384, 4096, 0, 0, 0))
for ring in (5, 6, 3): s.setsockopt(283, ring, struct.pack('<I', 64))
tx = struct.unpack('<16Q', s.getsockopt(283, 1, 128))[4:8]
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
ring = libc.mmap(None, tx[2] + 64 * 16, 3, 0x8001, s.fileno(), 0x80000000)
own = b'\\2\\0\\0\\0\\0\\1'
p = ${mac} + own + b'\\x08\\0' + ipv4(17, udp(M), src='${source}'); memory[0:len(p)] = p
address = struct.pack('<HHIII', 44, 2, socket.if_nametoindex('${device}'), 0, 0)
if libc.bind(s.fileno(), address, 16): raise OSError(ctypes.get_errno(), 'bind')
ctypes.memmove(ring + tx[2], struct.pack('<QII', 0, len(p), 0), 16)
ctypes.memmove(ring + tx[0], struct.pack('<I', 1), 4)
libc.sendto(s.fileno(), None, 0, 0x40, None, 0)`;
const XDP = xdp('up0', `b'\\xff' * 6`, '192.0.2.2');

const KINDS = [
  { number: 26, family: 17, name: 'AF_PACKET', what: 'a packet socket', limit: 'L1' },
  { number: 27, family: 44, name: 'AF_XDP', what: 'an XDP socket', limit: 'L1' },
  { number: 33, family: 40, name: 'AF_VSOCK', what: 'a vsock socket', limit: 'L2' },
] as const;
const USER = ['setpriv', '--reuid=1001', '--regid=1001', '--clear-groups', '--inh-caps=-all'];
const WITH_NET_RAW = [...USER.slice(0, -1), '--inh-caps=-all,+net_raw', '--ambient-caps=+net_raw'];

/** What the log says of a process: its records of sockets, and what is tampering. */
function recordsOf(arena: Arena, pid: number): readonly AuditEvent[] {
  const log = arena.guarded.run('cat', '/run/cargowall/records/audit.jsonl').stdout.split('\n');
  const records = log.flatMap((text) => (text === '' ? [] : [JSON.parse(text) as AuditEvent]));
  return records.filter((record) => record.pid === pid && record.decided_by === 'socket');
}

function findings(arena: Arena): readonly string[] {
  const log = '/run/cargowall/records/audit.jsonl';
  return arena.guarded.run('grep', '"tamper"', log).stdout.split('\n');
}

describe('behind the wall', () => {
  const arena = new Arena('limits');
  beforeAll(async () => {
    await arena.open();
    for (const script of [BYPASS, BYPASS_32, XDP]) {
      const { marker } = arena.attempt('N', script, ATTACKER);
      expect(await arena.hasArrived(marker, true)).toBe(true); // while nothing stands in the way
    }
    await arena.guard();
  }, 60_000);
  afterAll(() => {
    arena.close();
  });

  test.each([
    [26, 'a packet socket past the queue (PACKET_QDISC_BYPASS)', BYPASS, 'AF_PACKET'],
    [27, 'an XDP socket of its own', XDP, 'AF_XDP'],
  ])('case %i (N), %s, by a service and by the job', async (number, what, script, reason) => {
    const marker = arena.marker();
    const words = arena.words('N', `print(os.getpid())\n${script}`, ATTACKER, marker);
    for (const said of [arena.guarded.run(...words), await arena.ofJob(...words)]) {
      expect(said.stdout).toContain('PermissionError 1');
      const pid = Number.parseInt(said.stdout, 10);
      await until(() => recordsOf(arena, pid).some(({ blocked }) => blocked), `a record of ${pid}`);
      const record = recordsOf(arena, pid).find(({ blocked }) => blocked);
      expect(record).toMatchObject({ event_type: 'protocol_blocked', reason, layer: 'socket' });
    }
    expect(await arena.hasArrived(marker, false)).toBe(false);
    told.closed(number, what);
  });

  test('case 27 (N), an XDP socket in a network of a container’s own', async () => {
    const { lab } = arena.guarded;
    const box = ['nsenter', `--net=/run/cw-netns/${lab.box}`];
    const near = arena.root('sh', '-c', 'ip -o link show br0 >&2');
    const [, bridge = ''] = /link\/ether (\S+)/u.exec(near) ?? [];
    const script = xdp('in1', `bytes.fromhex('${bridge.replaceAll(':', '')}')`, '172.30.0.2');
    const passed = arena.attempt('N', script, ALLOWED, box);
    expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('N', script, '203.0.112.27', box);
    expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    expect(await arena.blocksOf('203.0.112.27')).toMatchObject([
      { layer: 'tc', src_ip: '172.30.0.2', protocol: 'UDP' },
    ]);
    told.closed(27, "an XDP socket in a network of a container's own");
  });

  test.each([26, 27])('case %i (U), the same without CAP_NET_RAW', (number) => {
    const script = number === 26 ? BYPASS : XDP;
    expect(arena.attempt('U', script, ATTACKER).stdout).toContain('PermissionError 1');
    told.closed(number, 'the same without CAP_NET_RAW');
  });

  const ways = ['call', 'int80', 'socketcall', 'ring'] as const;
  const asked = KINDS.flatMap((kind) => ways.map((way) => ({ ...kind, way })));
  test.each(asked)('case $number, $what for a moment, by $way', async (one) => {
    const { number, family, name, what, limit, way } = one;
    const user = limit === 'L1' ? WITH_NET_RAW : USER;
    const said = await arena.ofJob(...user, '--', PROGRAM, way, String(family));
    const pid = Number(said.stderr);
    const since = Date.now();
    const record = () => recordsOf(arena, pid)[0];
    await until(() => record() !== undefined, `a record of ${pid}`);
    expect(record()).toMatchObject({ event_type: 'protocol_blocked', reason: name, origin: 'job' });
    if (said.stdout === 'made\n') {
      // this kernel lets no program refuse it
      const found = `process ${pid} has opened ${what}`;
      const isTold = () => findings(arena).some((text) => text.includes(found));
      await until(isTold, `"${found}"`);
      expect(Date.now() - since).toBeLessThan(2000);
      expect(record()).toMatchObject({ blocked: false, would_deny: true, layer: 'syscall' });
      expect(isDocumented(limit)).toBe(true);
      told.limit(number, `${what} for a moment, by ${way}`, limit);
    } else {
      expect(said.stdout).toBe('errno 1\n');
      expect(record()).toMatchObject({ blocked: true, would_deny: false, layer: 'socket' });
      told.closed(number, `${what} for a moment, by ${way}`);
    }
  });

  test('case 26 (N), past the queue by a call of 32-bit programs', async () => {
    const marker = arena.marker();
    const { stdout } = await arena.ofJob(...arena.words('N', BYPASS_32, ATTACKER, marker));
    if (stdout === 'sent\n') {
      expect(await arena.hasArrived(marker, true)).toBe(true);
      expect(isDocumented('L1')).toBe(true);
      told.limit(26, 'past the queue by a call of 32-bit programs', 'L1');
    } else {
      expect(stdout).toContain('PermissionError 1');
      expect(await arena.hasArrived(marker, false)).toBe(false);
      told.closed(26, 'past the queue by a call of 32-bit programs');
    }
  });

  test('options of any other socket, and long ones, are what they were', () => {
    const script = `
s = datagram(); s.setsockopt(1, 9, 1); assert s.getsockopt(1, 9) == 1
p = socket.socket(17, 3); p.setsockopt(263, 8, 1); assert p.getsockopt(263, 8) == 1
try: datagram().setsockopt(263, 20, 1)
except OSError as e: assert e.errno == 92, e
t = socket.socket(); t.setsockopt(6, 13, b'reno' + bytes(9000)); print(t.getsockopt(6, 13, 8))
f = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 65535) * 2) # a filter that lets all pass
s.setsockopt(1, 26, struct.pack('HxxxxxxN', 2, ctypes.addressof(f)))`;
    expect(arena.attempt('R', script, ATTACKER).stdout).toContain('sent');
  });
});

test.each([
  ['a packet socket past the queue', BYPASS, 'AF_PACKET'],
  ['an XDP socket of its own', XDP, 'AF_XDP'],
])(
  'case 127, in audit mode: %s',
  async (what, script, reason) => {
    const arena = new Arena('limaud');
    try {
      await arena.open();
      await arena.guard({ ...POLICY, mode: 'audit' });
      const words = (marker: string) =>
        arena.words('N', `print(os.getpid())\n${script}`, ATTACKER, marker);
      const marker = arena.marker();
      const said = await arena.ofJob(...words(marker));
      expect(await arena.hasArrived(marker, true)).toBe(true);
      const pid = Number.parseInt(said.stdout, 10);
      const isIt = (record: AuditEvent) => record.layer === 'socket';
      await until(() => recordsOf(arena, pid).some(isIt), `a record of ${pid}`);
      expect(recordsOf(arena, pid).find(isIt)).toMatchObject({ reason, would_deny: true });
      told.closed(127, what);
    } finally {
      arena.close();
    }
  },
  60_000,
);
