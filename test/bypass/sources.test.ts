// Sources that are not the machine's (U, N): on a macvlan a container is in the uplink's own network, its
// sockets are beside its packets at the wall, and a socket can be told to send in the name of another.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from './arena.ts';
import { shape } from './case.ts';
import { Told } from './told.ts';

const arena = new Arena('source');
const told = new Told();
const { lab } = arena.guarded;
const NETNS = `/run/cw-netns/${lab.box}`;
const BOX = ['nsenter', `--net=${NETNS}`];

/** A container's way out past the bridge. Its neighbour is told: it has no address of the machine's to ask with. */
const MACVLAN = (router: string) => `
set -e; ip link set mv0 up; ip addr add 192.0.2.77/24 dev mv0; ip addr add 2001:db8::77/64 dev mv0 nodad
ip neigh add 192.0.2.1 lladdr ${router} dev mv0; ip neigh add 2001:db8::1 lladdr ${router} dev mv0
ip route replace default via 192.0.2.1 dev mv0; ip -6 route add default via 2001:db8::1 dev mv0`;

beforeAll(async () => {
  await arena.open();
  await arena.guard();
  const router = arena.root(
    'nsenter',
    `--net=/run/cw-netns/${lab.net}`,
    'sh',
    '-c',
    'ip -o link show up1 >&2',
  );
  const [, mac = ''] = /link\/ether (\S+)/u.exec(router) ?? [];
  const link = 'ip link add link up0 name mv0 type macvlan mode bridge'.split(' ');
  expect(arena.root(...link)).toBe('');
  expect(arena.root('ip', 'link', 'set', 'mv0', 'netns', NETNS)).toBe('');
  expect(arena.root(...BOX, 'sh', '-c', MACVLAN(mac))).toBe('');
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** Sends twice from an address, by a socket that may take any (ip(7), ipv6(7)). */
const FROM = (source: string, option: string) => `
s = datagram(10 if ':' in TO else 2); s.setsockopt(${option}, 1); s.bind(('${source}', 0))
for i in range(2): s.sendto(M, (TO, 9))`;

/** The machine's, and a container's on the macvlan. */
const OURS = ['192.0.2.2', '2001:db8::2'] as const;
const OWN = ['192.0.2.77', '2001:db8::77'] as const;
const ROWS = [
  ['IP_TRANSPARENT', 'N', '0, 19', '203.0.112.99', '198.51.101.36'],
  ['IPV6_TRANSPARENT', 'N', '41, 75', '2001:db8:bad::99', '2001:db8:2::36'],
  ['IPV6_FREEBIND', 'U', '41, 78', '2001:db8:bad::98', '2001:db8:2::37'],
  ['an address of its own', 'N', '0, 19', OWN[0], '198.51.101.37'],
  ['an address of its own, IPv6', 'U', '41, 78', OWN[1], '2001:db8:2::38'],
] as const;

test.each(ROWS)('case 36, a macvlan, by %s (%s)', async (what, privilege, option, source, to) => {
  const ours = OURS[to.includes(':') ? 1 : 0];
  const passed = arena.attempt(privilege, FROM(ours, option), to, BOX);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt(privilege, FROM(source, option), to, BOX);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  const record = { ...shape, src_ip: source, layer: 'tc', process: 'python3', origin: 'container' };
  expect(await arena.blocksOf(to)).toMatchObject([record]);
  told.closed(36, `a foreign source on a macvlan, by ${what}`);
});

const OF_THE_MACHINE = [
  ['IP_TRANSPARENT', 'N', '0, 19', '203.0.112.99', '198.51.101.38'],
  ['IPV6_FREEBIND', 'U', '41, 78', '2001:db8:bad::99', '2001:db8:2::39'],
] as const;

test.each(OF_THE_MACHINE)('case 16, a foreign source by %s (%s)', async (...row) => {
  const [what, privilege, option, source, to] = row;
  const passed = arena.attempt(privilege, FROM(OURS[to.includes(':') ? 1 : 0], option), to);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = arena.attempt(privilege, FROM(source, option), to);
  expect(tried.stdout.trim()).toBe('PermissionError 1');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  const record = { ...shape, src_ip: source, layer: 'egress', process: 'python3' };
  expect((await arena.blocksOf(to))[0]).toMatchObject(record);
  told.closed(16, `a foreign source by ${what}`);
});
