// Answers as a way in, and what a job does to its own machine: what must not open is connected to, and
// what may is reached the same way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ATTACKER,
  a,
  cname,
  DNS_WISHES,
  DnsArena,
  HOME,
  OK,
  REFUSED,
  RESOLVER,
  UPSTREAM,
} from './dns-arena.ts';
import { isDocumented, Told } from './told.ts';

const arena = new DnsArena('bdnsa');
const told = new Told();
/** Private, on the loopback of the lab's internet: reachable when a grant opens it. */
const PRIVATE = '10.1.2.3';

beforeAll(async () => {
  await arena.open();
  arena.guarded.run(
    ...[
      'sh',
      '-c',
      'echo "127.0.0.1 localhost" > /run/hosts && mount --bind /run/hosts /etc/hosts',
    ],
  );
  await arena.guard(DNS_WISHES);
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

async function expectRefused(name: string, ...words: string[]): Promise<void> {
  expect(await arena.refused(name, ...words)).toEqual(REFUSED);
}

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
    told.closed(77, 'records of other owners in every section');
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
    told.closed(78, 'aliases');
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
    told.closed(80, `rebinding to ${address}`);
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
    told.closed(82, 'types and classes');
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
    told.closed(82, 'hints of service records');
  });
});

describe('what a job does to its own machine', () => {
  test('case 89, an edited hosts file and a client with a cache of its own', async () => {
    arena.guarded.run('sh', '-c', `echo '${ATTACKER} ${OK}' > /etc/hosts`);
    const curl = (...words: string[]) =>
      arena.run('curl', '-sS', '-k', '-m', '3', ...words, `https://${OK}/`);
    const from = (await arena.events()).length;
    expect(curl().stderr).toMatch(/connect/iu);
    expect(await arena.block(ATTACKER, 443, from)).toMatchObject({ process: 'curl' });
    arena.guarded.run('sh', '-c', `echo '127.0.0.1 localhost' > /etc/hosts`);
    expect(curl('--resolve', `${OK}:443:203.0.113.50`).stderr).toMatch(/connect/iu);
    await arena.block('203.0.113.50', 443, from);
    expect(curl().stdout).toContain('hello');
    told.closed(89, 'hosts file and caches');
  });

  test('case 90, a resolver configuration written back', async () => {
    const write = (server: string) =>
      arena.guarded.run('sh', '-c', `echo 'nameserver ${server}' > /etc/resolv.conf`);
    write(ATTACKER);
    await expectRefused(`${arena.marker()}.evil.test`);
    expect(arena.run('getent', 'ahostsv4', OK).stdout).toContain(HOME);
    write(RESOLVER);
    expect([...arena.ports]).toEqual([`${UPSTREAM} 53`]);
    told.closed(90, 'a resolver configuration written back');
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
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(3); u.connect(('${RESOLVER}', 53))
for at in range(0, len(odd), 100):
    for m in odd[at:at + 100]: u.send(m)
    # a name nobody has asked for: the daemon itself answers, when it has read all before it
    last = struct.pack('>H', 50000 + at) + head[2:] + b'\\5%05d\\4evil\\4test\\0\\0\\1\\0\\1' % at
    u.send(last)
    while u.recv(4096)[:2] != last[:2]: pass
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
    told.closed(85, 'broken messages');
  });

  test('case 92, timing of what is cached', () => {
    expect(isDocumented('L5')).toBe(true);
    told.limit(92, 'timing of what is cached', 'L5');
  });
});
