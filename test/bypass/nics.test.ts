// What root does to the uplink itself: the wall is on the device, wherever it goes and whatever it is called.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { Told } from './told.ts';

const told = new Told();
let arena: Arena;

beforeEach(async () => {
  arena = new Arena('nics');
  await arena.open();
  await arena.guard();
}, 60_000);
afterEach(() => arena.close());
afterAll(() => told.print());

/** Gives a device the uplink's address and its way out. */
const ADDRESS = (device: string) =>
  `ip link set ${device} up && ip addr add 192.0.2.2/24 dev ${device} && ip route replace default via 192.0.2.1 dev ${device}`;
const FRAME = (device: string) => `frame(b'\\x08\\0', ipv4(17, udp(M)), '${device}')`;

/** A frame and a datagram to an address nobody has allowed have no way out; the same path lets others. */
async function expectJudged(device: string, to: string, prefix: readonly string[] = []) {
  for (const script of [FRAME(device), 'datagram().sendto(M, (TO, 9))']) {
    const passed = arena.attempt('R', script, ALLOWED, prefix);
    expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('R', script, to, prefix);
    expect(tried.stdout.trim()).not.toBe('sent');
    const after = arena.attempt('R', script, ALLOWED, prefix);
    expect(await arena.hasArrived(after.marker, true)).toBe(true);
    expect(arena.saw(tried.marker)).toBe(false);
  }
  const layers = (await arena.blocksOf(to)).map(({ layer }) => layer);
  expect(layers).toEqual(['tc', 'sendmsg']);
}

test('case 35 (R), the uplink has another hardware address', async () => {
  expect(arena.root('ip', 'link', 'set', 'up0', 'address', '02:00:00:00:00:aa')).toBe('');
  await expectJudged('up0', '203.0.112.201');
  told.closed(35, 'an uplink with another hardware address');
});

test('case 35 (R), the uplink becomes a port of a bridge', async () => {
  const words = `ip link add bridge9 type bridge && ip link set up0 master bridge9 && ip addr flush dev up0 && ${ADDRESS('bridge9')}`;
  expect(arena.root('sh', '-c', words)).toBe('');
  await expectJudged('bridge9', '203.0.112.202');
  const tried = arena.attempt('R', FRAME('up0'), '203.0.112.203');
  expect(tried.stdout.trim()).not.toBe('sent');
  expect(await arena.blocksOf('203.0.112.203')).toMatchObject([{ layer: 'tc' }]);
  told.closed(35, 'an uplink that becomes a port of a bridge');
});

test('case 35 (R), the uplink moves to another network namespace', async () => {
  const box = `/run/cw-netns/${arena.guarded.lab.box}`;
  const inside = ['nsenter', `--net=${box}`];
  expect(arena.root('ip', 'link', 'set', 'up0', 'netns', box)).toBe('');
  expect(arena.root(...inside, 'sh', '-c', ADDRESS('up0'))).toBe('');
  // the machine's own address is none of its any more; the container's is of a network behind it
  const frame = (from: string) => FRAME('up0').replace('udp(M)', `udp(M), src='${from}'`);
  const [there, gone] = [frame('172.30.0.2'), frame('192.0.2.2')];
  const ways = [
    [there, '203.0.112.204'],
    ['datagram().sendto(M, (TO, 9))', '203.0.112.205'],
    [gone, '198.51.101.206'],
  ] as const;
  for (const [script, to] of ways) {
    const tried = arena.attempt('R', script, to, inside);
    expect(tried.stdout.trim()).toMatch(/Error/u);
    const passed = arena.attempt('R', there, ALLOWED, inside);
    expect(passed.stdout.trim()).toBe('sent');
    await until(() => arena.saw(passed.marker), 'what is allowed');
    expect(arena.saw(tried.marker)).toBe(false);
    expect(await arena.blocksOf(to)).toHaveLength(1);
  }
  told.closed(35, 'an uplink in another network namespace');
});
