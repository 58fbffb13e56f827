// Devices between a process and the uplink, and uplinks that come later: whatever makes the packet,
// what leaves the machine is judged where it leaves.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { line, until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('dev');
const told = new Told();
const SEND = 'datagram().sendto(M, (TO, 9))';
const { lab } = arena.guarded;
const BOX = ['nsenter', `--net=/run/cw-netns/${lab.box}`];
const BOX_ADDRESS = '172.30.0.2';

beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

interface Way {
  readonly to: string;
  readonly script?: string;
  readonly privilege?: 'U' | 'N' | 'R';
  readonly prefix?: readonly string[];
}

/** What passes to an allowed address must be refused to another; the record. */
async function expectJudged({ to, script = SEND, privilege = 'U', prefix = [] }: Way) {
  const passed = arena.attempt(privilege, script, ALLOWED, prefix);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt(privilege, script, to, prefix);
  expect(tried.code).toBe(0);
  const [record] = await arena.blocksOf(to);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  return record;
}

/** Ways of a container: its namespace behind a bridge of the machine's. */
const CONTAINER = [
  { what: 'a datagram', to: '203.0.112.36', script: SEND, layer: 'sendmsg' },
  { what: 'a stream', to: '203.0.112.37', script: 'stream()', layer: 'connect' },
  {
    what: 'a raw packet',
    to: '203.0.112.38',
    script: `raw4(ipv4(17, udp(M), src='${BOX_ADDRESS}'))`,
    layer: 'egress',
  },
  {
    what: 'a frame',
    to: '203.0.112.39',
    script: `
import re
mac = bytes.fromhex(re.search(r'172.30.0.1 .*?((..:){5}..)', open('/proc/net/arp').read()).group(1).replace(':', ''))
s = socket.socket(17, 3); s.bind(('in1', 0)); s.send(mac + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(M), src='${BOX_ADDRESS}'))`,
    layer: 'tc',
  },
] as const;

test.each(CONTAINER)(
  'cases 36 and 43 (D), $what of a container behind a bridge of any name',
  async (one) => {
    const { to, script, layer, what } = one;
    const record = await expectJudged({ to, script, privilege: 'R', prefix: BOX });
    expect(record).toMatchObject({
      layer,
      ...(layer === 'tc' ? { src_ip: BOX_ADDRESS } : { origin: 'container' }),
    });
    told.closed('36, 43', `${what} of a container`);
  },
);

test('case 36 (D), a frame of a container with a foreign source address', async () => {
  const [, , , frame] = CONTAINER;
  const script = frame.script.replace(`src='${BOX_ADDRESS}'`, `src='203.0.112.99'`);
  const tried = arena.attempt('R', script, ALLOWED, BOX);
  expect(tried.stdout.trim()).toBe('sent');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  const isIt = (event: { src_ip?: string }) => event.src_ip === '203.0.112.99';
  const events = await arena.guarded.events((all) => all.some(isIt));
  expect(events.find(isIt)).toMatchObject({ decided_by: 'shape', layer: 'tc', blocked: true });
  told.closed(36, 'a foreign source address of a container');
});

test('case 39 (D), a container behind MASQUERADE', async () => {
  const nat = (how: string) =>
    arena.root(
      'iptables',
      '-t',
      'nat',
      how,
      'POSTROUTING',
      '-s',
      '172.30.0.0/24',
      '-o',
      'up0',
      '-j',
      'MASQUERADE',
    );
  expect(nat('-A')).toBe('');
  expect(await expectJudged({ to: '203.0.112.40', prefix: BOX })).toMatchObject({
    origin: 'container',
  });
  const [, , , frame] = CONTAINER;
  // no call of a socket's behind it: TC sees it after the translation
  const { script } = frame;
  const record = await expectJudged({ to: '203.0.112.41', script, privilege: 'R', prefix: BOX });
  expect(record).toMatchObject({ src_ip: '192.0.2.2', layer: 'tc' });
  expect(nat('-D')).toBe('');
  told.closed(39, 'a container behind MASQUERADE');
});

test('case 39 (R), a rule that rewrites an allowed destination', async () => {
  const nat = (how: string) =>
    arena.root(
      'iptables',
      '-t',
      'nat',
      how,
      'OUTPUT',
      '-p',
      'udp',
      '-d',
      '198.51.101.39',
      '-j',
      'DNAT',
      '--to',
      '203.0.112.42:9',
    );
  const passed = arena.attempt('U', SEND, '198.51.101.39');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  expect(nat('-A')).toBe('');
  const tried = arena.attempt('U', SEND, '198.51.101.39');
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.blocksOf('203.0.112.42')).toMatchObject([
    { layer: 'egress', process: 'python3' },
  ]);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(nat('-D')).toBe('');
  told.closed(39, 'a rule that rewrites an allowed destination');
});

/** Listens in the box's own namespace and passes on from the machine's, as rootless networks do. */
const RELAY = `
import socket
s = socket.socket(socket.AF_UNIX); s.bind('/run/relay.sock'); s.listen(4); print('ready', flush=True)
while True:
    c, _ = s.accept(); to, text = c.recv(200).decode().split(' ')
    try:
        o = socket.socket(); o.settimeout(2); o.connect((to, 443)); o.sendall(text.encode()); c.sendall(b'sent')
    except OSError as e: c.sendall(type(e).__name__.encode())
    c.close()
`;

test('case 42 (U), a rootless network: a relay with sockets of the machine', async () => {
  const relay = lab.spawn(['/usr/bin/python3', '-u', '-c', RELAY]);
  await line(relay, 'ready');
  const inner = `import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('/run/relay.sock'); s.sendall((sys.argv[1] + ' ' + sys.argv[2]).encode()); print(s.recv(99).decode(), end=' ')`;
  const script = `
import subprocess
print(subprocess.run(['unshare', '-Urn', '/usr/bin/python3', '-c', ${JSON.stringify(inner)}, TO, sys.argv[2]], capture_output=True, text=True).stdout, end=' ')`;
  const passed = arena.attempt('R', script, ALLOWED);
  expect(passed.stdout).toContain('sent ');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt('R', script, '203.0.112.142');
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.blocksOf('203.0.112.142')).toMatchObject([{ pid: relay.pid }]);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  told.closed(42, 'a relay with sockets of the machine');
});

test('case 35 (R), a NIC that comes after the start, and is renamed', async () => {
  const net = (...words: string[]) =>
    arena.root('nsenter', `--net=/run/cw-netns/${lab.net}`, ...words);
  expect(
    arena.root(
      'ip',
      'link',
      'add',
      'hot0',
      'type',
      'veth',
      'peer',
      'name',
      'hot1',
      'netns',
      `/run/cw-netns/${lab.net}`,
    ),
  ).toBe('');
  expect(net('ip', 'addr', 'add', '198.18.7.1/24', 'dev', 'hot1')).toBe('');
  expect(net('ip', 'link', 'set', 'hot1', 'up')).toBe('');
  const route = (name: string) => {
    arena.root('ip', 'addr', 'add', '198.18.7.2/24', 'dev', name);
    arena.root('ip', 'link', 'set', name, 'up');
    return arena.root('ip', 'route', 'add', '203.0.112.128/25', 'via', '198.18.7.1', 'dev', name);
  };
  expect(route('hot0')).toBe('');
  arena.root('ip', 'route', 'add', '198.51.101.128/25', 'via', '198.18.7.1', 'dev', 'hot0');
  const frame = (name: string) =>
    `frame(b'\\x08\\0', ipv4(17, udp(M), src='198.18.7.2'), '${name}')`;
  const seen = async (name: string, to: string, open: string) => {
    const index = /^\d+/u.exec(arena.guarded.run('ip', '-o', 'link', 'show', name).stdout)?.[0];
    const wall = `/run/cargowall/bpf/link_tc_${index}`;
    await until(() => lab.exists(wall), 'the wall on the new uplink');
    for (const script of [SEND, frame(name)]) {
      const passed = arena.attempt('R', script, open);
      expect(passed.stdout.trim()).toBe('sent');
      expect(await arena.hasArrived(passed.marker, true)).toBe(true);
      const tried = arena.attempt('R', script, to);
      expect(tried.stdout.trim()).not.toBe('sent');
      expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    }
    expect((await arena.blocksOf(to)).map(({ layer }) => layer)).toEqual(['sendmsg', 'tc']);
  };
  await seen('hot0', '203.0.112.135', '198.51.101.135');
  told.closed(35, 'a NIC that comes after the start');
  arena.root('ip', 'link', 'set', 'hot0', 'down');
  expect(arena.root('ip', 'link', 'set', 'hot0', 'name', 'renamed0')).toBe('');
  expect(route('renamed0')).toBe('');
  arena.root('ip', 'route', 'add', '198.51.101.128/25', 'via', '198.18.7.1', 'dev', 'renamed0');
  await seen('renamed0', '203.0.112.136', '198.51.101.136');
  told.closed(35, 'a NIC that is renamed');
  expect(arena.root('ip', 'link', 'del', 'renamed0')).toBe('');
});

test('case 35 (R), a NIC behind another: a frame is recorded once', async () => {
  expect(
    arena.root('ip', 'link', 'add', 'mac0', 'link', 'up0', 'type', 'macvlan', 'mode', 'bridge'),
  ).toBe('');
  arena.root('ip', 'addr', 'add', '192.0.2.77/32', 'dev', 'mac0');
  expect(arena.root('ip', 'link', 'set', 'mac0', 'up')).toBe('');
  arena.root('ip', 'route', 'add', '203.0.112.144/28', 'via', '192.0.2.1', 'dev', 'mac0', 'onlink');
  arena.root(
    'ip',
    'route',
    'add',
    '198.51.101.144/28',
    'via',
    '192.0.2.1',
    'dev',
    'mac0',
    'onlink',
  );
  const script = `frame(b'\\x08\\0', ipv4(17, udp(M)), 'mac0')`;
  const passed = arena.attempt('R', script, '198.51.101.145');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt('R', script, '203.0.112.145');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf('203.0.112.145')).toHaveLength(1);
  const isAllowed = (event: { dst_ip?: string }) => event.dst_ip === '198.51.101.145';
  expect((await arena.guarded.events((all) => all.some(isAllowed))).filter(isAllowed)).toHaveLength(
    1,
  );
  expect(arena.root('ip', 'link', 'del', 'mac0')).toBe('');
  told.closed(35, 'a NIC behind another, recorded once');
});

test.each([
  ['bond', ['type', 'bond']],
  ['vlan', ['link', 'up0', 'type', 'vlan', 'id', '7']],
])('case 35 (R), a NIC of the kind %s', async (kind, words) => {
  const said = arena.root(
    'ip',
    'link',
    'add',
    ...(kind === 'vlan' ? words.slice(0, 2) : []),
    'name',
    'kind9',
    ...(kind === 'vlan' ? words.slice(2) : words),
  );
  if (said !== '') {
    expect(said).toMatch(/Unknown device type|Operation not supported/u);
    told.absent(35, `a NIC of the kind ${kind}`, said.replace(/\n.*/su, ''));
    return;
  }
  expect(arena.root('ip', 'link', 'set', 'kind9', 'up')).toBe('');
  const script = `frame(b'\\x08\\0', ipv4(17, udp(M)), 'kind9')`;
  const tried = arena.attempt('R', script, '203.0.112.150');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf('203.0.112.150')).toHaveLength(1);
  expect(arena.root('ip', 'link', 'del', 'kind9')).toBe('');
  told.closed(35, `a NIC of the kind ${kind}`);
});
