// What is allowed, used against the job: defaults, look-alikes, the platform's own services, private
// space, and what the firewall itself talks to.
import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPolicy } from '../../src/core/policy/build-policy.ts';
import { suffixSection } from '../../src/core/policy/public-suffix.ts';
import { eachLine, line } from '../lab/lab.ts';
import { ATTACKER, a, DnsArena, HOME, UPSTREAM } from './dns-arena.ts';
import { Told } from './told.ts';

const arena = new DnsArena('dest');
const told = new Told();
const METADATA = '169.254.169.254';
const WIRE_SERVER = '168.63.129.16';
const PRIVATE = ['10.9.9.9', '172.20.9.9', '192.168.99.9', '100.64.9.9'];
const PRIVATE6 = 'fd00:9::9';
const LISTED = '10.1.2.3';

/** Fakes of the platform's services and of private hosts: they answer whoever reaches them. */
const FAKES = `
import socket, threading
def tcp(address, port):
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET); s.setsockopt(1, 2, 1); s.bind((address, port)); s.listen(8)
    while True: c, a = s.accept(); c.sendall(b'secret'); c.close(); print('reached', address, port, flush=True)
def udp(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((address, port))
    while True: s.recvfrom(2048); print('reached', address, port, flush=True)
for port in (80, 32526, 53): threading.Thread(target=tcp, args=('${WIRE_SERVER}', port)).start()
threading.Thread(target=udp, args=('${WIRE_SERVER}', 53)).start()
threading.Thread(target=tcp, args=('${METADATA}', 80)).start()
for address in ${JSON.stringify([...PRIVATE, PRIVATE6, LISTED])}: threading.Thread(target=tcp, args=(address, 80)).start()
print('ready', flush=True)
`;
const reached: string[] = [];
const destinations = new Set<string>();
/** Every packet that leaves the machine, by destination and port. */
const EVERYTHING = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('up1', 0)); print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] == 4 or d[12:14] not in (b'\\x08\\0', b'\\x86\\xdd'): continue
    if d[12:14] == b'\\x08\\0': print('to', socket.inet_ntoa(d[30:34]), struct.unpack('>H', d[36:38])[0] if d[23] in (6, 17) else -d[23], flush=True)
    elif d[20] in (6, 17): print('to', socket.inet_ntop(socket.AF_INET6, d[38:54]), struct.unpack('>H', d[56:58])[0], flush=True)
`;

beforeAll(async () => {
  await arena.open();
  const { lab } = arena.guarded;
  for (const address of [METADATA, WIRE_SERVER, ...PRIVATE]) {
    execFileSync('ip', ['-n', lab.net, 'addr', 'add', `${address}/32`, 'dev', 'lo']);
  }
  execFileSync('ip', ['-n', lab.net, 'addr', 'add', `${PRIVATE6}/128`, 'dev', 'lo', 'nodad']);
  const fakes = await lab.serve(FAKES);
  eachLine(fakes, (text) => reached.push(text));
  const sniffer = await lab.serve(EVERYTHING);
  eachLine(sniffer, (text) => destinations.add(text.replace('to ', '')));
  await arena.guard({
    allow: `ok.example:443, barrier.example:443, *.b.example:443, ${LISTED}:80/tcp`,
  });
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

describe('before anybody has asked for anything', () => {
  test('case 102, the firewall itself talks to its upstream alone', async () => {
    // What the start sends has been sent before the barrier.
    await arena.hasArrived('');
    expect([...destinations]).toEqual([`${UPSTREAM} 53`]);
    expect(
      arena.asked.every((text) => /\.example (?:A|AAAA)$|github|windows\.net/u.test(text)),
    ).toBe(true);
    told.closed(102, 'the firewall itself talks to its upstream alone');
  });
});

describe('lists', () => {
  /** Where anybody rents a name, whatever the public suffix list says. */
  const RENTED = [
    ...['blob.core.windows.net', 'azureedge.net', 'trafficmanager.net', 'cloudapp.net'],
    ...['azurewebsites.net', 'amazonaws.com', 'cloudfront.net', 'herokuapp.com', 'github.io'],
    ...['githubpreview.dev', 'githubusercontent.com', 'r2.dev', 'pages.dev', 'workers.dev'],
    ...['googleapis.com', 'web.app', 'vercel.app', 'netlify.app', 'fastly.net', 'akamaized.net'],
  ];

  test('case 93, no default lets anybody else register a name below it', () => {
    const built = buildPolicy(
      {
        ...{ allowedHosts: '', blockedHosts: '', allowedCidrs: '', blockedCidrs: '' },
        ...{ expectedBlocks: '', searchDomains: '', githubServiceHosts: '', azureInfraHosts: '' },
        ...{ sudoLockdown: false, sudoAllowCommands: '' },
      },
      undefined,
      { actionsUrls: [], serverUrl: '' },
    );
    if ('errors' in built) throw new Error('the defaults are no policy');
    const open = built.policy.rules.flatMap(({ target }) => {
      if (target.kind === 'pattern') return [target.labels.join('.')];
      return target.kind === 'name' && !target.exact ? [target.name] : [];
    });
    expect([...new Set(open)]).toEqual(['actions.githubusercontent.com', 'githubapp.com']);
    for (const name of open) {
      expect(suffixSection(name)).toBeUndefined();
      const atOrBelow = (rented: string) => rented === name || rented.endsWith(`.${name}`);
      expect(RENTED.filter(atOrBelow)).toEqual([]);
    }
    told.closed(93, 'no default lets anybody else register a name below it');
  });

  test('case 94, look-alikes of an allowed name', async () => {
    const marker = arena.marker();
    const alike = [
      ...[`${marker}ok.example`, `ok.example.${marker}.test`, `ok-${marker}.example`],
      ...[`${marker}.x.y.b.example`, `${marker}.b.example.evil.test`, `xn--${marker}-9za.example`],
    ];
    for (const name of alike) expect(arena.dig(name), name).toContain('status: REFUSED');
    expect(await arena.hasArrived(marker)).toBe(false);
    for (const name of ['OK.eXaMple', 'ok.example.']) expect(arena.dig(name)).toContain(HOME);
    told.closed(94, 'look-alikes of an allowed name');
  });

  test('case 103, what a plain name opens is said before it opens', () => {
    const explain = (host: string, allowed: string): unknown => {
      const words = ['build/dist/cli/index.js', 'explain', '-', host, '--allow', allowed, '--json'];
      const options = { input: 'version: 1\n', encoding: 'utf8' } as const;
      return JSON.parse(spawnSync(process.execPath, words, options).stdout);
    };
    const opened = { verdict: 'allow', rule: { target: 'github.com', ports: null } };
    for (const host of ['x.github.com:22', 'github.com:9/udp']) {
      expect(explain(host, 'github.com')).toMatchObject(opened);
    }
    expect(explain('x.github.com:443', '=github.com')).toMatchObject({ verdict: 'deny' });
    expect(explain('github.com:22', 'github.com:443')).toMatchObject({ verdict: 'deny' });
    told.closed(103, 'what a plain name opens is said');
  });
});

describe('an allowed destination', () => {
  test('case 95, another host behind an allowed address is reached, and both names are shown', async () => {
    const other = 'shared.b.example';
    await arena.answers(other, a(other, HOME));
    expect(arena.dig('ok.example')).toContain(HOME);
    const words = ['--connect-to', `evil.example.net:443:${HOME}:443`, 'https://evil.example.net/'];
    expect(arena.run('curl', '-sS', '-k', '-m', '3', ...words).stdout).toContain('hello');
    expect(arena.dig(other)).toContain(HOME);
    expect(arena.connect(HOME, 8443)).toBe('PermissionError');
    const record = await arena.block(HOME, 8443);
    const { dst_hostname: first, dst_hostnames: others = [] } = record;
    expect([first, ...others].sort()).toEqual(['ok.example', other].sort());
    told.absent(96, 'ambiguous requests', 'no proxy parses requests');
    told.limit(95, 'another host behind an allowed address', 'L4');
    told.closed(144, 'every name of a shared address is shown');
  });

  test('cases 67, 97 and 98, an allowed host takes what it is sent, and is in the log', async () => {
    const put = ['-X', 'PUT', '--data-binary', '@/etc/hostname', '-sS', '-k', '-m', '3'];
    const url = 'https://ok.example/upload';
    expect(arena.dig('ok.example')).toContain(HOME);
    expect(arena.run('curl', ...put, '-o', '/dev/null', '-w', '%{http_code}', url).stdout).toBe(
      '201',
    );
    const events = await arena.events((all) =>
      all.some(({ process: comm, event_type: type }) => comm === 'curl' && /allowed/u.test(type)),
    );
    expect(events.find(({ process: comm }) => comm === 'curl')).toMatchObject({
      dst_ip: HOME,
      dst_port: 443,
    });
    expect(arena.connect(UPSTREAM, 443)).toBe('PermissionError');
    told.limit(67, 'DNS over HTTPS through an allowed host (a known one is warned of)', 'L6');
    told.limit(97, 'a repository, a gist, an artifact', 'L6');
    told.limit(98, 'a package registry', 'L6');
  });
});

describe('the platform and the neighbourhood', () => {
  test.each([
    [99, METADATA, 80, 'instance metadata'],
    [100, WIRE_SERVER, 80, 'the wire server'],
    [100, WIRE_SERVER, 32526, 'the wire server, its second port'],
    ...PRIVATE.map((address) => [101, address, 80, `private space, ${address}`] as const),
    [101, PRIVATE6, 80, `private space, ${PRIVATE6}`],
  ] as const)('case %i, %s port %i', async (number, address, port, what) => {
    expect(arena.connect(address, port)).toBe('PermissionError');
    await arena.block(address, port);
    await arena.hasArrived('');
    expect(reached.join('\n')).not.toContain(`${address} ${port}`);
    told.closed(number, what);
  });

  test('case 100, questions to the wire server go to the proxy', async () => {
    for (const words of [[], ['+tcp']]) {
      const name = `${arena.marker()}.evil.test`;
      expect(arena.dig(name, ...words, `@${WIRE_SERVER}`)).toContain('status: REFUSED');
      await arena.refusal(name);
      expect(arena.dig('ok.example', ...words, `@${WIRE_SERVER}`)).toContain(HOME);
    }
    expect(reached.join('\n')).not.toContain(`${WIRE_SERVER} 53`);
    expect(arena.connect(ATTACKER, 53)).toBe('connected');
    told.closed(100, 'questions to the wire server');
  });

  test('what is listed is reached: a private address, and metadata where a rule names it', async () => {
    expect(arena.connect(LISTED, 80)).toBe('connected');
    const other = new DnsArena('destm');
    try {
      await other.open();
      const net = other.guarded.lab.net;
      execFileSync('ip', ['-n', net, 'addr', 'add', `${METADATA}/32`, 'dev', 'lo']);
      const fake = await other.guarded.lab.serve(`
import socket
s = socket.socket(); s.bind(('${METADATA}', 80)); s.listen(8); print('ready', flush=True)
while True: c, a = s.accept(); c.close(); print('reached metadata', flush=True)
`);
      await other.guard({ allow: `${METADATA}:80/tcp, barrier.example:443` });
      const heard = line(fake, 'reached');
      expect(other.connect(METADATA, 80)).toBe('connected');
      await heard;
    } finally {
      other.close();
    }
  });
});

test('case 94, an empty list allows nothing', async () => {
  const empty = new DnsArena('deste');
  try {
    await empty.open();
    await empty.guard({});
    expect(empty.dig('ok.example')).toContain('status: REFUSED');
    expect(empty.connect(HOME)).toBe('PermissionError');
    await empty.block(HOME, 443);
    expect(empty.asked.filter((text) => text.includes('example'))).toEqual([]);
    told.closed(94, 'an empty list allows nothing');
  } finally {
    empty.close();
  }
});
