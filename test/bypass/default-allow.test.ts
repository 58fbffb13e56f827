// Under `default: allow` what no rule names passes, and what no destination is for one machine does not:
// several hear it, by no address of theirs.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena, type Privilege } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('open');
const told = new Told();
const SEND = `
s = datagram(10 if ':' in TO else 2); s.setsockopt(1, 6, 1); s.setsockopt(1, 25, b'up0\\0')
s.sendto(M, (TO, 9))`;

beforeAll(async () => {
  await arena.open();
  await arena.guard({ default: 'allow', allow: '239.1.1.1:9/udp', block: '203.0.112.7' });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

interface Row {
  readonly what: string;
  readonly to: string;
  readonly script?: string;
  readonly privilege?: Privilege;
}

const REFUSED: readonly Row[] = [
  { what: 'mDNS’s group', to: '224.0.0.251' },
  { what: 'a group of the machine’s own choice', to: '239.1.1.2' },
  { what: 'a group of one source (SSM)', to: '232.1.1.1' },
  { what: 'everybody', to: '255.255.255.255' },
  { what: 'all nodes of the link, IPv6', to: 'ff02::1' },
  { what: 'a group of the world, IPv6', to: 'ff0e::9' },
  {
    what: 'a group, v4-mapped',
    to: '224.1.1.1',
    script: `s = datagram(10); s.sendto(M, ('::ffff:' + TO, 9))`,
  },
  {
    what: 'a group, by a frame',
    to: '224.1.1.2',
    script: `frame4(ipv4(17, udp(M)))`,
    privilege: 'N',
  },
  {
    what: 'a group, pinged',
    to: '224.1.1.3',
    script: `socket.socket(2, 2, 1).sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
  },
];

test.each(['203.0.112.8', '2001:db8:bad::8', '239.1.1.1'])('%s is reached', async (to) => {
  const passed = arena.attempt('U', SEND, to);
  expect([passed.stdout.trim(), passed.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
});

test.each(REFUSED)('case 17, $what', async ({ what, to, script = SEND, privilege = 'U' }) => {
  const tried = arena.attempt(privilege, script, to);
  expect(tried.code).toBe(0);
  const [record] = await arena.blocksOf(to);
  expect(record).toMatchObject({ decided_by: 'shape' });
  const last = arena.attempt('U', SEND, '203.0.112.8');
  expect(await arena.hasArrived(last.marker, true)).toBe(true);
  expect(arena.saw(tried.marker)).toBe(false);
  told.closed(17, `${what}, under default: allow`);
});

test('what a rule denies is refused', async () => {
  const tried = arena.attempt('U', SEND, '203.0.112.7');
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.blocksOf('203.0.112.7')).toMatchObject([{ matched_rule: '203.0.112.7' }]);
});
