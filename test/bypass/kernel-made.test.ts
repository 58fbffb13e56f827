// Case 56: what the kernel itself makes passes, causes no record, and is no way for anybody's bytes.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Arena } from './arena.ts';
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
