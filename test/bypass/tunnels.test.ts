// Tunnels, and packets written into devices: what comes out of them is judged where it leaves.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ALLOWED, Arena } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('tunnel');
const told = new Told();

beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** Devices that put packets into others; the kernel's name of each, and how it is made. */
const TUNNELS = [
  [
    'vxlan',
    (to: string) => ['type', 'vxlan', 'id', '7', 'remote', to, 'dstport', '9', 'dev', 'up0'],
  ],
  ['geneve', (to: string) => ['type', 'geneve', 'id', '7', 'remote', to, 'dstport', '9']],
  ['gre', (to: string) => ['type', 'gre', 'remote', to, 'local', '192.0.2.2']],
  ['ipip', (to: string) => ['type', 'ipip', 'remote', to, 'local', '192.0.2.2']],
  ['sit', (to: string) => ['type', 'sit', 'remote', to, 'local', '192.0.2.2']],
  ['wireguard', () => ['type', 'wireguard']],
] as const;

test.each(TUNNELS)('case 31 (R), a tunnel of the kind %s', async (kind, how) => {
  const make = (to: string) => {
    const said = arena.root('ip', 'link', 'add', 'tun9', ...how(to));
    if (said !== '') return said;
    arena.root('ip', 'addr', 'add', '198.51.101.130/29', 'dev', 'tun9');
    return arena.root('ip', 'link', 'set', 'tun9', 'up');
  };
  const said = make(ALLOWED);
  if (said !== '') {
    // the kernel has no such device: nothing but its own word for that is taken for it
    expect(said).toMatch(/Unknown device type|Operation not supported/u);
    told.absent(31, `a tunnel of the kind ${kind}`, said.replace(/\n.*/su, ''));
    return;
  }
  // the inner packet is to an allowed address, so the outer one is what is refused
  const inner = `
s = socket.socket(17, 3); s.bind(('tun9', 0)); s.send(b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(M), '198.51.101.131', src='198.51.101.130'))`;
  const passed = arena.attempt('R', inner, ALLOWED);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  expect(arena.root('ip', 'link', 'del', 'tun9')).toBe('');
  expect(make('203.0.112.31')).toBe('');
  const tried = arena.attempt('R', inner, ALLOWED);
  expect(await arena.blocksOf('203.0.112.31')).toContainEqual(
    expect.objectContaining({ layer: 'tc', protocol: 'UDP' }),
  );
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(arena.root('ip', 'link', 'del', 'tun9')).toBe('');
  told.closed(31, `a tunnel of the kind ${kind}`);
});

/** Sends through an uplink whose packets have no header below IP, and says what comes out of it. */
const THROUGH = (send: string) => `
import fcntl, select, subprocess
f = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b'vpn0', 0x1001))
run = lambda w: subprocess.run(w.split(), check=True)
run('ip addr add 10.78.0.1/24 dev vpn0'); run('ip link set vpn0 up')
for to in ['198.51.101.78', '203.0.112.78', '203.0.112.79']: run(f'ip route add {to} dev vpn0')
wall, until = f"/run/cargowall/bpf/link_tc_{socket.if_nametoindex('vpn0')}", time.monotonic() + 2
while not os.path.exists(wall) and time.monotonic() < until: pass
try: ${send}
except OSError as e: print(e.strerror)
seen = b''
while select.select([f], [], [], 0.2)[0]: seen += os.read(f, 2048)
print('out' if M in seen else 'nothing')`;

test('an uplink without a header below IP, as VPNs have, is judged like any other', async () => {
  const frame =
    's = socket.socket(17, 3); s.bind(("vpn0", 0)); s.send(ipv4(17, udp(M), src="10.78.0.1"))';
  const said = (script: string, to: string) =>
    arena.attempt('R', THROUGH(script), to).stdout.trim().split('\n');
  expect(said('datagram().sendto(M, (TO, 9))', '198.51.101.78')).toContain('out');
  expect(said(frame, '198.51.101.78')).toContain('out');
  expect(said('datagram().sendto(M, (TO, 9))', '203.0.112.78')).toContain('nothing');
  expect(said(frame, '203.0.112.79')).toContain('nothing');
  expect(await arena.blocksOf('203.0.112.79')).toMatchObject([{ layer: 'tc', protocol: 'UDP' }]);
  told.closed(31, 'an uplink without a header below IP');
});

/** Writes a packet into a device of its own, from where the machine forwards it. */
const INJECT = (mode: 'tun' | 'tap', source: string) => `
import fcntl, subprocess
f = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b'inj0', ${mode === 'tun' ? '0x1001' : '0x1002'}))
run = lambda w: subprocess.run(w.split(), check=True)
run('ip addr add 10.77.0.1/24 dev inj0'); run('ip link set inj0 up')
p = ipv4(17, udp(M), src='${source}')
mac = open('/sys/class/net/inj0/address').read().strip().replace(':', '') if os.path.exists('/sys/class/net/inj0') else subprocess.run('ip -o link show inj0', shell=True, capture_output=True, text=True).stdout.split('link/ether ')[-1].split(' ')[0].replace(':', '')
os.write(f, p if ${mode === 'tun' ? 'True' : 'False'} else bytes.fromhex(mac) + b'\\2\\0\\0\\0\\0\\7' + b'\\x08\\0' + p)
time.sleep(0.2)`;

test('case 32 (R), packets written into a TAP device and forwarded', async () => {
  const script = INJECT('tap', '10.77.0.2');
  const passed = arena.attempt('R', script, ALLOWED);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt('R', script, '203.0.112.32');
  expect(await arena.blocksOf('203.0.112.32')).toMatchObject([
    { layer: 'tc', src_ip: '10.77.0.2' },
  ]);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  told.closed(32, 'packets written into a TAP device');
});

test('case 32 (R), packets written into a TUN device and forwarded', async () => {
  // its network counts as behind an uplink, so even an allowed destination is refused from there
  for (const to of ['203.0.112.33', '198.51.101.32']) {
    const tried = arena.attempt('R', INJECT('tun', '10.77.0.2'), to);
    expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
    expect(await arena.blocksOf(to)).toMatchObject([{ layer: 'tc' }]);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  }
  told.closed(32, 'packets written into a TUN device');
});
