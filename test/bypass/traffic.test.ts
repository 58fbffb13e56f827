// Bytes out: what was sent to each host, each byte once, with the whole wall and with each of its layers
// alone; whose they were; what was not told apart; and that much of it to one host is told at once.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Traffic } from '../../src/core/audit/event.ts';
import { schemaFaults } from '../lab/audit-schema.ts';
import { until } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';
import { ATTACKER } from './arena.ts';
import { isDocumented, Told } from './told.ts';
import { AUDIT_LOG, endOf, type Log, trafficOf, Uploads, uploadsOf } from './uploads.ts';
import { reduceTo, resume, type Wall } from './wall.ts';

const REGISTRY = '198.51.100.10';
const REGISTRY6 = '2001:db8:1::10';
/** Of two names: github.com and api.github.com. */
const SHARED = '198.51.100.30';
/** Allowed by address. */
const BARE = '198.51.100.11';

const POLICY: SessionWishes = {
  allow: [
    'registry.example.com:7000/tcp;7001/udp',
    ...['github.com:7000/tcp', 'api.github.com:7000/tcp', `${BARE}:7000/tcp;7001/udp`],
    ...[`${ATTACKER}:7000/tcp`, '198.51.128.0/17:9/udp'],
  ].join('\n'),
  icmp: REGISTRY,
};

/** Bytes by protocol, destination and whose they are, as `TCP 198.51.100.10 7000 job`. */
function sums(records: readonly Traffic[], withOrigin: boolean): Readonly<Record<string, number>> {
  const found = new Map<string, number>();
  for (const { protocol, dst_ip, dst_port = 0, origin, bytes_out } of records) {
    const key = `${protocol} ${dst_ip} ${dst_port}${withOrigin ? ` ${origin}` : ''}`;
    found.set(key, (found.get(key) ?? 0) + bytes_out);
  }
  return Object.fromEntries(found);
}

const told = new Told();
afterAll(() => told.print());

const SMALL = 1000;
const DATAGRAMS = `
t = datagram(TO)
for size in range(0, 100): t.sendto(bytes(size), (TO, 7001))
c = datagram(TO); c.connect((TO, 7001))
for _ in range(50): c.send(bytes(1400))
b = datagram(TO); b.sendto(bytes(5000), (TO, 7001))
g = datagram(TO); g.connect((TO, 7001)); g.setsockopt(17, 103, 1000); g.send(bytes(30500))
print(sum(range(100)) + 50 * 1400 + 5000 + 30500)`;
/** A frame socket, which no hook of the cgroup sees. */
const FRAME = `
s = socket.socket(17, 3, 0); s.bind(('in1', 0x800))
def head(n):
    h = struct.pack('>BBHHHBBH4s4s', 0x45, 0, n, 1, 0, 64, 17, 0, socket.inet_aton('172.30.0.2'), socket.inet_aton('${BARE}'))
    t = sum(struct.unpack('>10H', h)); t = (t >> 16) + (t & 65535); t += t >> 16
    return h[:10] + struct.pack('>H', ~t & 65535) + h[12:]
mac = bytes.fromhex([l.split()[3] for l in open('/proc/net/arp') if l.startswith('172.30.0.1 ')][0].replace(':', ''))
s.send(mac + s.getsockname()[4] + b'\\x08\\0' + head(28 + 700) + struct.pack('>HHHH', 5000, 7001, 708, 0) + bytes(700))
print(700)`;

describe.each<Wall>(['both layers', 'the cgroup layer alone', 'the wall alone'])('%s', (wall) => {
  const uploads = new Uploads('traffic');
  const wanted = new Map<string, number>();
  let log: Log = { text: '', records: [] };
  const hasCgroup = wall !== 'the wall alone';

  function want(key: string, origin: string, bytes: number): void {
    const whole = hasCgroup ? `${key} ${origin}` : key;
    wanted.set(whole, (wanted.get(whole) ?? 0) + bytes);
  }

  beforeAll(async () => {
    await uploads.open(POLICY);
    reduceTo(wall, uploads.arena.guarded);
    want(
      `TCP ${REGISTRY} 7000`,
      'job',
      await uploads.send(`print(upload('${REGISTRY}', 5000000))`),
    );
    want(
      `TCP ${REGISTRY6} 7000`,
      'job',
      await uploads.send(`print(upload('${REGISTRY6}', 5000000))`),
    );
    const several = `l = [stream('${BARE}', 30000 + i) for i in range(20)]; print(sum(map(sent, l)))`;
    want(`TCP ${BARE} 7000`, 'job', await uploads.send(several));
    const short = `s = stream('${SHARED}', ${SMALL}); s.close(); print(${SMALL})`;
    want(`TCP ${SHARED} 7000`, 'job', await uploads.send(short));
    for (const to of [REGISTRY, REGISTRY6]) {
      want(`UDP ${to} 7001`, 'job', await uploads.send(`TO = '${to}'\n${DATAGRAMS}`));
    }
    const ping = `s = socket.socket(2, 2, 1); s.sendto(b'\\x08\\0' + bytes(106), ('${REGISTRY}', 0)); print(100)`;
    want(`ICMP ${REGISTRY} 0`, 'job', await uploads.send(ping));
    const isForwarded = wall !== 'the cgroup layer alone';
    const boxed = await uploads.sendBoxed(`print(upload('${BARE}', 3000000))`);
    if (isForwarded) want(`TCP ${BARE} 7000`, 'container', boxed);
    const frame = await uploads.sendBoxed(FRAME);
    if (isForwarded) want(`UDP ${BARE} 7001`, 'container', frame);
    want(
      `TCP ${REGISTRY} 7000`,
      'runner',
      await uploads.sendAsRunner(`print(upload('${REGISTRY}', 2000000))`),
    );
    // open at the seal, and not worth telling yet
    await uploads.hold(`s = stream('${BARE}', 1234)`);
    want(`TCP ${BARE} 7000`, 'job', 1234);
    expect(uploads.arena.attempt('U', 'stream(7000)', '203.0.112.9').stdout).toContain('Error');
    if (wall !== 'both layers') resume(uploads.arena.guarded);
    log = uploads.seal();
  }, 120_000);
  afterAll(() => uploads.arena.close());

  test('case 98 (U), every byte is counted once, at its destination', () => {
    const records = trafficOf(log).filter(({ dst_port }) => dst_port !== 9 && dst_port !== 443);
    expect(sums(records, hasCgroup)).toEqual(Object.fromEntries(wanted));
    const total = trafficOf(log).reduce((sum, { bytes_out }) => sum + bytes_out, 0);
    expect(endOf(log).totals['bytes_out']).toBe(total);
    expect(endOf(log).lost['bytes_untold'] ?? 0).toBe(0);
    told.closed(98, `bytes out by host, ${wall}`);
  });

  test('a seal says everything anew, and more when more was sent', async () => {
    await uploads.send(`print(upload('${BARE}', 1))`);
    const before = trafficOf(log);
    const after = trafficOf(uploads.seal()).slice(before.length);
    const sum = (records: readonly Traffic[]) =>
      records.reduce((all, { bytes_out }) => all + bytes_out, 0);
    expect(sum(after) - sum(before)).toBe(1);
  });

  test('the log is what the schema says', () => {
    expect(schemaFaults(log.text)).toEqual([]);
  });
});

describe('an uplink that stands on another', () => {
  const uploads = new Uploads('traffic');
  const FAR = '198.51.100.12';
  const TUNNEL = '192.0.2.1:4789/udp';
  beforeAll(async () => {
    await uploads.open({ allow: `${FAR}:7000/tcp, ${TUNNEL}` }, ({ guarded }) => {
      const { net, runner } = guarded.lab;
      const ip = (words: string) => execFileSync('ip', words.split(' '));
      const vxlan = 'type vxlan id 5 dstport 4789';
      ip(`-n ${runner} link add vx0 ${vxlan} local 192.0.2.2 remote 192.0.2.1`);
      ip(`-n ${net} link add vx1 ${vxlan} local 192.0.2.1 remote 192.0.2.2`);
      ip(`-n ${runner} link add br1 type bridge`);
      ip(`-n ${runner} link set vx0 master br1 up`);
      ip(`-n ${runner} addr add 192.0.5.2/24 dev br1`);
      ip(`-n ${runner} link set br1 up`);
      ip(`-n ${net} addr add 192.0.5.1/24 dev vx1`);
      ip(`-n ${net} link set vx1 up`);
      ip(`-n ${net} addr add ${FAR}/32 dev lo`);
      ip(`-n ${runner} route add ${FAR} via 192.0.5.1 dev br1`);
    });
  }, 60_000);
  afterAll(() => uploads.arena.close());

  test('a bridge and its member: what passes both walls is counted once', async () => {
    const sent = await uploads.sendBoxed(`print(upload('${FAR}', 300000))`);
    const all = sums(trafficOf(uploads.seal()), true);
    expect(all[`TCP ${FAR} 7000 container`]).toBe(sent);
  });
});

describe('names', () => {
  const uploads = new Uploads('traffic');
  beforeAll(async () => {
    await uploads.open(POLICY);
  }, 60_000);
  afterAll(() => uploads.arena.close());

  test('are those of the answers, and names that share an address are all there', async () => {
    for (const to of [REGISTRY6, BARE, SHARED]) await uploads.send(`print(upload('${to}', 5))`);
    const traffic = trafficOf(uploads.seal());
    const at = (address: string) => traffic.find(({ dst_ip }) => dst_ip === address);
    expect(at(REGISTRY6)).toMatchObject({
      dst_hostname: 'registry.example.com',
      process: 'python3',
    });
    expect(at(BARE)?.dst_hostname).toBeUndefined();
    const { dst_hostname, dst_hostnames = [] } = at(SHARED) ?? {};
    expect([dst_hostname, ...dst_hostnames].toSorted()).toEqual(['api.github.com', 'github.com']);
  });
});

describe('much to one host', () => {
  const uploads = new Uploads('traffic');
  beforeAll(async () => {
    await uploads.open(POLICY);
  }, 60_000);
  afterAll(() => uploads.arena.close());

  test('case 98 (U), the job is told of once, the runner never', async () => {
    await uploads.sendAsRunner(`print(upload('${SHARED}', 120000000))`);
    await uploads.send(`print(upload('${REGISTRY}', 60000000))`);
    await uploads.send(`print(upload('${REGISTRY6}', 60000000))`);
    await until(() => uploadsOf(uploads.log()).length > 0, 'the record');
    await uploads.send(`print(upload('${REGISTRY}', 1000000))`);
    const all = uploadsOf(uploads.seal());
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ dst_hostname: 'registry.example.com', blocked: false });
    expect(all[0]?.bytes_out).toBeGreaterThan(100_000_000);
    told.closed(98, 'more than 100 MB to one host is a record');
  });

  test('case 97 (U), an allowed host takes data, and the record says how much', () => {
    expect(isDocumented('L6')).toBe(true);
    const sent = trafficOf(uploads.log()).filter(({ origin }) => origin === 'job');
    expect(sent.every(({ bytes_out }) => bytes_out > 50_000_000)).toBe(true);
    told.limit(97, 'an upload to an allowed host, with its bytes', 'L6');
  });
});

describe('more destinations than can be told apart', () => {
  const uploads = new Uploads('traffic');
  beforeAll(async () => {
    await uploads.open(POLICY);
  }, 60_000);
  afterAll(() => uploads.arena.close());

  test('no byte is missing in the sum', async () => {
    const sent = await uploads.send(`
import ipaddress
s = datagram('1'); first = int(ipaddress.ip_address('198.51.128.0'))
for i in range(17000): s.sendto(bytes(10), (str(ipaddress.ip_address(first + i)), 9))
print(170000)`);
    const { lost } = endOf(uploads.seal('session_ended'));
    // more than a pipe to this process takes
    const sum = `
import json
rows = [json.loads(l) for l in open('${AUDIT_LOG}')]
rows = [r['bytes_out'] for r in rows if r['event_type'] == 'traffic' and r.get('dst_port') == 9]
print(len(rows), sum(rows))`;
    const { stdout } = uploads.arena.guarded.run('/usr/bin/python3', '-c', sum);
    const [count = 0, known = 0] = stdout.split(' ').map(Number);
    const { bytes_untold = 0 } = lost;
    expect(count).toBeGreaterThan(16_000);
    expect(bytes_untold).toBeGreaterThan(0);
    expect(known + bytes_untold).toBe(sent);
  });
});

describe('mode audit', () => {
  const uploads = new Uploads('traffic');
  beforeAll(async () => {
    await uploads.open({ ...POLICY, mode: 'audit' });
  }, 60_000);
  afterAll(() => uploads.arena.close());

  test('what enforce would refuse is counted apart', async () => {
    const script = (port: number) =>
      `s = datagram('1'); [s.sendto(bytes(100), ('${ATTACKER}', ${port})) for _ in range(20)]; print(2000)`;
    expect(await uploads.send(script(7001))).toBe(2000);
    const [record, ...others] = trafficOf(uploads.seal()).filter(
      ({ dst_ip }) => dst_ip === ATTACKER,
    );
    expect(others).toEqual([]);
    expect(record).toMatchObject({ would_deny: true, blocked: false, bytes_out: 2000 });
  });
});
