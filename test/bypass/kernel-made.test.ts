// Case 56: what the kernel itself makes passes, causes no record, and is no way for anybody's bytes.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ALLOWED, ALLOWED6, Arena, ATTACKER } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('kernel');
const told = new Told();
let before = 0;
beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
beforeEach(async () => {
  before = (await arena.guarded.events()).length;
});
afterAll(() => {
  arena.close();
  told.print();
});

/** Runs what somebody outside does; what it says. */
function outside(script: string): string {
  const words = ['netns', 'exec', arena.guarded.lab.net, '/usr/bin/python3', '-c'];
  const prelude = `
import socket, struct
def tried(f):
    try: return f()
    except OSError as e: return type(e).__name__
def rest(data):
    s = sum(struct.unpack(f'>{len(data) // 2}H', data)); s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff`;
  const whole = `${prelude}\n${script}\nprint(said)`;
  return execFileSync('ip', [...words, whole], { encoding: 'utf8', timeout: 10_000 }).trim();
}

test.each([
  [
    'a reset of a closed port',
    `s = socket.socket(); s.settimeout(3); said = tried(lambda: s.connect(('192.0.2.2', 81)))`,
    'ConnectionRefusedError',
  ],
  [
    'a reset of a closed port, IPv6',
    `s = socket.socket(10); s.settimeout(3); said = tried(lambda: s.connect(('2001:db8::2', 81)))`,
    'ConnectionRefusedError',
  ],
  [
    'an unreachable of a closed port',
    `s = socket.socket(2, 2); s.settimeout(3); s.connect(('192.0.2.2', 81)); s.send(b'x'); said = tried(lambda: s.recv(9))`,
    'ConnectionRefusedError',
  ],
  [
    'an unreachable of a closed port, IPv6',
    `s = socket.socket(10, 2); s.settimeout(3); s.connect(('2001:db8::2', 81)); s.send(b'x'); said = tried(lambda: s.recv(9))`,
    'ConnectionRefusedError',
  ],
  [
    'an echo reply',
    `
s = socket.socket(2, 3, 1); s.settimeout(3); p = b'\\x08\\0\\0\\0\\0\\1\\0\\1'
s.sendto(p[:2] + struct.pack('>H', rest(p)) + p[4:], ('192.0.2.2', 0)); said = s.recv(99)[20]`,
    '0',
  ],
  [
    'an echo reply, IPv6',
    `
s = socket.socket(10, 3, 58); s.settimeout(3); s.sendto(b'\\x80\\0\\0\\0\\0\\1\\0\\1', ('2001:db8::2', 0))
said = 0
while said != 129: said = s.recv(99)[0]`,
    '129',
  ],
  [
    'an answer to neighbour discovery',
    `
import subprocess
subprocess.run(['ip', 'neigh', 'flush', 'all'], check=True); subprocess.run(['ip', '-6', 'neigh', 'flush', 'all'], check=True)
v = socket.socket(2, 2); v.settimeout(3); v.connect(('192.0.2.2', 81)); v.send(b'x'); tried(lambda: v.recv(9))
u = socket.socket(10, 2); u.settimeout(3); u.connect(('2001:db8::2', 81)); u.send(b'x'); said = tried(lambda: u.recv(9))`,
    'ConnectionRefusedError',
  ],
])('case 56, %s passes unrecorded', async (what, script, answer) => {
  expect(outside(script)).toBe(answer);
  expect(await arena.recordsSince(before)).toEqual([]);
  told.closed(56, what);
});

/** What a kernel answers, sent in the name of the attacker: with an echo reply and two kinds of error. */
const CAUSES4 = {
  'an echo request': (to: string) => `echo(to='${to}', src=TO)`,
  'a datagram to a closed port': (to: string) => `ipv4(17, udp(M, 81), to='${to}', src=TO)`,
  'a packet that expires here': () => {
    const packet = `bytearray(ipv4(17, udp(M), to='${ALLOWED}', src=TO))`;
    return `(lambda p: p[:8] + b'\\x01' + p[9:])(${packet})`;
  },
} as const;
const NEAR: Readonly<Record<number, string>> = { 2: ALLOWED, 10: ALLOWED6 };
const ECHO = `
def rest(data):
    s = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while s >> 16: s = (s >> 16) + (s & 0xffff)
    return struct.pack('>H', ~s & 0xffff)
def echo(to, src):
    b = b'\\0\\1\\0\\1' + M + bytes(len(M) % 2)
    return ipv4(1, b'\\x08\\0' + rest(b'\\x08\\0\\0\\0' + b) + b, to=to, src=src)
def echo6(to, src):
    b = b'\\0\\1\\0\\1' + M + bytes(len(M) % 2)
    whole = socket.inet_pton(10, src) + socket.inet_pton(10, to) + struct.pack('>II', len(b) + 4, 58)
    return ipv6(58, b'\\x80\\0' + rest(whole + b'\\x80\\0\\0\\0' + b) + b, to=to, src=src)
`;
/** Who sends what to an address of the machine's, so that its kernel answers the attacker. */
const REFLECTIONS = [
  ...Object.entries(CAUSES4).flatMap(([cause, packet]) => [
    { who: 'D', cause, at: '172.30.0.1', packet: packet('172.30.0.1'), family: 2 },
    { who: 'D', cause, at: '192.0.2.2', packet: packet('192.0.2.2'), family: 2 },
    { who: 'N', cause, at: '192.0.2.2', packet: packet('192.0.2.2'), family: 2 },
  ]),
  {
    who: 'N',
    cause: 'an echo request of IPv6',
    at: '2001:db8::2',
    packet: `echo6(to='2001:db8::2', src=TO)`,
    family: 10,
  },
].filter(({ at, cause }) => at === '172.30.0.1' || !cause.includes('expires'));

test.each(REFLECTIONS)(
  "case 56 ($who), the kernel's answer to $cause at $at in the name of another",
  async ({ who, cause, at, packet, family }) => {
    const { guarded } = arena;
    // the loose filter of most distributions: a source is good that has a route
    guarded.run('sh', '-c', 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 2 > $f; done');
    // what waits for a neighbour is counted and not recorded: the router is one already
    const known = arena.attempt('U', `datagram(${family}).sendto(M, (TO, 9))`, NEAR[family] ?? '');
    expect(await arena.hasArrived(known.marker, true)).toBe(true);
    const index = REFLECTIONS.findIndex((one) => one.packet === packet && one.who === who);
    const to = family === 2 ? `203.0.112.${150 + index}` : `2001:db8:bad::${150 + index}`;
    const script = `${ECHO}
socket.socket(${family}, 3, 255).sendto(bytes(${packet}), ('${at}', 0))`;
    const box = ['nsenter', `--net=/run/cw-netns/${guarded.lab.box}`];
    const tried = arena.attempt(who === 'D' ? 'R' : 'N', script, to, who === 'D' ? box : []);
    expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
    expect((await arena.blocksOf(to)).map(({ event_type: type }) => type)).toEqual([
      'protocol_blocked',
    ]);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    told.closed(56, `the kernel's answer to ${cause} in the name of another (${who})`);
  },
);

/** The head of an echo request of several fragments, in the name of another; its rest is eight zeros. */
const HEAD4 = `${ECHO}
icmp = echo('192.0.2.2', TO)[20:].ljust(48, b'\\0')
icmp = b'\\x08\\0' + rest(b'\\x08\\0\\0\\0' + icmp[4:]) + icmp[4:]
p = bytearray(ipv4(1, icmp, '192.0.2.2', TO, fragment=0x2000)); p[4:6] = b'\\x42\\x42'
socket.socket(2, 3, 255).sendto(bytes(p), ('192.0.2.2', 0))`;
const REST4 = (from: string) => `
p = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28, 0x4242, 6, 64, 1, 0, socket.inet_aton('${from}'), socket.inet_aton('192.0.2.2')) + bytes(8)
said = socket.socket(2, 3, 255).sendto(p, ('192.0.2.2', 0))`;

test("case 56 (N), the kernel's answer to a container's fragment that somebody outside completes", async () => {
  const { guarded } = arena;
  guarded.run('sh', '-c', 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 2 > $f; done');
  const known = arena.attempt('U', 'datagram().sendto(M, (TO, 9))', ALLOWED);
  expect(await arena.hasArrived(known.marker, true)).toBe(true);
  const box = ['nsenter', `--net=/run/cw-netns/${guarded.lab.box}`];
  const passed = arena.attempt('N', HEAD4, ALLOWED, box);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(outside(REST4(ALLOWED))).toBe('28');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt('N', HEAD4, ATTACKER, box);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  expect(outside(REST4(ATTACKER))).toBe('28');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf(ATTACKER)).toMatchObject([{ protocol: 'ICMP', layer: 'tc' }]);
  told.closed(56, "the kernel's answer to what a container began and somebody outside completes");
});

test("case 56, an address and a group of the machine's own are made known, unrecorded", async () => {
  const { guarded } = arena;
  const script = `
import socket, struct, subprocess
run = lambda w: subprocess.run(w.split(), check=True)
run('ip link set up0 down'); run('ip link set up0 up'); run('ip addr add 2001:db8::22/64 dev up0')
s = socket.socket(2, 2); s.setsockopt(0, 35, socket.inet_aton('239.1.2.3') + socket.inet_aton('192.0.2.2')); s.setsockopt(0, 36, socket.inet_aton('239.1.2.3') + socket.inet_aton('192.0.2.2'))
t = socket.socket(10, 2); i = socket.if_nametoindex('up0'); t.setsockopt(41, 20, socket.inet_pton(10, 'ff05::99') + struct.pack('i', i))
while 'tentative' in subprocess.run(['ip', 'addr', 'show', 'up0'], capture_output=True, text=True).stdout: pass
run('ip route add default via 192.0.2.1'); run('ip -6 route replace default via 2001:db8::1')
`;
  expect(guarded.run('/usr/bin/python3', '-c', script).stderr).toBe('');
  const made = (await arena.recordsSince(before)).filter(({ blocked }) => blocked);
  expect(made).toEqual([]);
  told.closed(56, 'neighbour discovery, IGMP and MLD');
});

test('case 56, a refused stream that ends sends nothing more', async () => {
  const script = `
s = socket.socket(); s.setblocking(False); s.connect_ex((TO, 443)); s.close()`;
  const tried = arena.attempt('U', script, '203.0.112.56');
  expect(tried.stdout.trim()).toBe('sent');
  const blocks = await arena.blocksOf('203.0.112.56');
  expect(blocks).toHaveLength(1);
  told.closed(56, 'one record of a refused stream');
});
