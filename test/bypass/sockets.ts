// Ways of sending by the sockets any process can have.
import { ALLOWED, ALLOWED6 } from './arena.ts';
import { blocked, type Case, protocol, shape } from './case.ts';

const U = 'U' as const;
const EXPLICIT = `
s = datagram(); s.connect(('${ALLOWED}', 9)); s.sendto(M, (TO, 9))`;
const GSO = `
s = datagram(); s.setsockopt(17, 103, 100); s.sendto(M * 20, (TO, 9))`;
const SENDFILE = `
f = os.memfd_create('m'); os.write(f, M); os.lseek(f, 0, 0)
s = datagram(); s.connect((TO, 9)); os.sendfile(s.fileno(), f, 0, len(M))`;
const SPLICE = `
r, w = os.pipe(); os.write(w, M)
s = datagram(); s.connect((TO, 9)); os.splice(r, s.fileno(), len(M))`;
const ZEROCOPY = `
s = datagram(); s.setsockopt(1, 60, 1); s.sendto(M, 0x4000000, (TO, 9))`;
const FRAGMENTED = `
s = datagram(); s.setsockopt(0, 10, 0); s.sendto(M + bytes(4000) + M, (TO, 9))`;
const CHILD = `
a, b = socket.socketpair()
if os.fork() == 0:
    s = datagram(); socket.send_fds(a, [b'x'], [s.fileno()]); os._exit(0)
os.wait(); _, fds, _, _ = socket.recv_fds(b, 1, 1)
socket.socket(fileno=fds[0]).sendto(M, (TO, 9))`;
/** A source route by an address nobody has allowed, to one that is. */
const LSRR = `
s = datagram(); s.setsockopt(0, 4, bytes([131, 7, 4]) + socket.inet_aton(TO) + b'\\0')
s.sendto(M, ('${ALLOWED}', 9))`;
const SRH = `
s = datagram(10)
s.setsockopt(41, 57, bytes([0, 4, 4, 1, 1, 0, 0, 0]) + bytes(16) + socket.inet_pton(10, TO))
s.sendto(M, ('${ALLOWED6}', 9))`;

/** What another call says first, refused or not; then this. */
const AFTER = (first: string, then: string) => `
try: ${first}
except OSError: pass
${then}`;
const LIBC = `libc = ctypes.CDLL(None, use_errno=True)`;
/** An address of the C library's form, of a family that need not be the socket's. */
const SOCKADDR = (family: number) => `
${LIBC}; a = struct.pack('<H', ${family}) + struct.pack('>H', 9) + socket.inet_aton(TO) + bytes(8)
if libc.sendto(s.fileno(), M, len(M), 0, a, 16) < 0: raise OSError(ctypes.get_errno(), 'sendto')`;
/** A source of the sender's choice, by a control message (IP_PKTINFO, IPV6_PKTINFO). */
const FROM4 = (source: string) =>
  `s.sendmsg([M], [(0, 8, bytes(4) + socket.inet_aton('${source}') + bytes(4))], 0, (TO, 9))`;
const FROM6 = (source: string) =>
  `s.sendmsg([M], [(41, 50, socket.inet_pton(10, '${source}') + bytes(4))], 0, (TO, 9))`;

const to = { to: ALLOWED } as const;
const to6 = { to: ALLOWED6 } as const;

export const SOCKETS: readonly Case[] = [
  [1, 'a datagram without connect', `datagram().sendto(M, (TO, 9))`, blocked],
  [1, 'a datagram of several fragments', FRAGMENTED, blocked],
  [2, 'a connected datagram socket, another address', EXPLICIT, blocked],
  [2, 'segmentation left to the device (UDP GSO)', GSO, blocked],
  [2, 'sendfile', SENDFILE, blocked],
  [2, 'splice', SPLICE, blocked],
  [2, 'zerocopy', ZEROCOPY, blocked],
  [2, 'a socket another process made and passed on', CHILD, blocked],
  [5, 'TCP Fast Open', `socket.socket().sendto(M, 0x20000000, (TO, 443))`, blocked],
  [
    5,
    'TCP Fast Open by connect',
    `s = socket.socket(); s.settimeout(1); s.setsockopt(6, 30, 1); s.connect((TO, 443)); s.sendall(M)`,
    blocked,
  ],
  [6, 'multipath TCP', `stream(proto=262)`, blocked],
  [
    10,
    'a ping socket',
    `socket.socket(2, 2, 1).sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    protocol('ICMP'),
  ],
  [12, 'a v4-mapped address, datagram', `datagram(10).sendto(M, ('::ffff:' + TO, 9))`, blocked],
  [
    12,
    'a v4-mapped address, connected datagram',
    `s = datagram(10); s.connect(('::ffff:' + TO, 9)); s.send(M)`,
    blocked,
  ],
  [2, 'an address of no family', `s = datagram()${SOCKADDR(0)}`, blocked],
  [12, "an IPv4 address on IPv6's socket", `s = datagram(10)${SOCKADDR(2)}`, blocked],
  [
    2,
    'a datagram held back for another, then connected elsewhere',
    `s = datagram(); s.connect(('${ALLOWED}', 9)); s.send(b'x', 0x8000); s.connect((TO, 9)); s.send(M)`,
    blocked,
  ],
  [
    2,
    'a stream taken apart and connected anew',
    `${LIBC}; s = socket.socket(); s.settimeout(1); s.connect(('${ALLOWED}', 443)); libc.connect(s.fileno(), bytes(16), 16); s.connect((TO, 443)); s.sendall(M)`,
    blocked,
  ],
  [
    2,
    'a datagram socket that was refused, then connected',
    AFTER('s = datagram(); s.sendto(M, (TO, 9))', 's.connect((TO, 9)); s.send(M)'),
    blocked,
  ],
  [12, 'a v4-mapped address, stream', `stream(to='::ffff:' + TO)`, blocked],
].map(([number, what, script, record]) => ({
  ...({ number, what, script, record } as Pick<Case, 'number' | 'what' | 'script' | 'record'>),
  privilege: U,
  control: to,
}));

export const ELSEWHERE: readonly Case[] = [
  {
    number: 7,
    what: 'UDP-Lite',
    privilege: U,
    script: `socket.socket(2, 2, 136).sendto(M, (TO, 9))`,
    to: ALLOWED,
    record: protocol('Protocol-136'),
  },
  {
    number: 10,
    what: 'an ICMPv6 ping socket',
    privilege: U,
    script: `socket.socket(10, 2, 58).sendto(b'\\x80\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    to: 'refused6',
    record: protocol('ICMPv6'),
  },
  {
    number: 10,
    what: 'an ICMPv6 ping to an address allowed on other ports',
    privilege: U,
    script: `socket.socket(10, 2, 58).sendto(b'\\x80\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    to: 'open6',
    record: protocol('ICMPv6'),
  },
  {
    number: 11,
    what: 'native IPv6, datagram',
    privilege: U,
    script: `datagram(10).sendto(M, (TO, 9))`,
    to: 'refused6',
    control: to6,
    record: blocked,
  },
  {
    number: 11,
    what: 'native IPv6, stream',
    privilege: U,
    script: `stream()`,
    to: 'refused6',
    control: to6,
    record: blocked,
  },
  {
    number: 11,
    what: 'native IPv6 with a flow label and a traffic class',
    privilege: U,
    script: `s = datagram(10); s.setsockopt(41, 67, 0x20); s.setsockopt(41, 33, 1); s.sendto(M, (TO, 9, 0x12345, 0))`,
    to: 'refused6',
    record: blocked,
  },
  ...[22, 80, 8443].map((port) => ({
    number: 15,
    what: `an allowed address, port ${port}`,
    privilege: U,
    script: `stream(${port})`,
    to: ALLOWED,
    record: { ...blocked, dst_port: port },
  })),
  {
    number: 15,
    what: 'an allowed address, the port by UDP (QUIC)',
    privilege: U,
    script: `datagram().sendto(M, (TO, 443))`,
    to: ALLOWED,
    record: { ...blocked, dst_port: 443, protocol: 'UDP' },
  },
  {
    number: 15,
    what: 'an address allowed on ports, ICMP',
    privilege: U,
    script: `socket.socket(2, 2, 1).sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    to: 'open',
    record: protocol('ICMP'),
  },
  {
    number: 16,
    what: 'a loose source route by an address nobody allowed',
    privilege: 'N',
    script: LSRR,
    control: { script: `datagram().sendto(M, ('${ALLOWED}', 9))` },
    record: blocked,
  },
  {
    number: 16,
    what: 'a segment routing header by an address nobody allowed',
    privilege: U,
    script: SRH,
    to: 'refused6',
    control: { script: `datagram(10).sendto(M, ('${ALLOWED6}', 9))` },
    record: shape,
  },
  ...[
    ['of loopback, behind what was allowed', `s.sendto(b'x', (TO, 9)); ${FROM6('::1')}`],
    ['of loopback', FROM6('::1')],
  ].map(([what, send]) => ({
    number: 16,
    what: `a datagram socket's source ${what}`,
    privilege: U,
    script: `s = datagram(10); ${send}`,
    to: 'open6',
    control: { script: `s = datagram(10); s.sendto(b'x', (TO, 9)); ${FROM6('2001:db8::2')}` },
    record: shape,
  })),
  ...[
    [
      'of nobody here, behind what was allowed',
      `s.sendto(b'x', (TO, 9)); ${FROM4('203.0.112.77')}`,
    ],
    ['of nobody here', FROM4('203.0.112.77')],
  ].map(([what, send]) => ({
    number: 16,
    what: `a transparent socket's source ${what}`,
    privilege: 'N' as const,
    script: `s = datagram(); s.setsockopt(0, 19, 1); ${send}`,
    to: 'open',
    control: {
      script: `s = datagram(); s.setsockopt(0, 19, 1); s.sendto(b'x', (TO, 9)); ${FROM4('192.0.2.2')}`,
    },
    record: shape,
  })),
  ...[
    ['a network behind the machine', '172.30.0.77'],
    ['loopback', '127.0.0.9'],
  ].map(([what, address]) => ({
    number: 35,
    what: `an address of ${what}, sent by the uplink`,
    privilege: U,
    script: `s = datagram(); s.setsockopt(1, 25, b'up0'); s.sendto(M, (TO, 9))`,
    to: String(address),
    record: shape,
    only: 'wall' as const,
  })),
  ...[
    ['mDNS', '224.0.0.251', 5353],
    ['SSDP', '239.255.255.250', 1900],
    ['LLMNR', '224.0.0.252', 5355],
  ].map(([what, address, port]) => ({
    number: 17,
    what: String(what),
    privilege: U,
    script: `datagram().sendto(M, (TO, ${port}))`,
    to: String(address),
    record: blocked,
  })),
  ...['255.255.255.255', '192.0.2.255'].map((address) => ({
    number: 17,
    what: `broadcast to the DHCP port, ${address}`,
    privilege: U,
    script: `s = datagram(); s.setsockopt(1, 6, 1); s.sendto(M, (TO, 67))`,
    to: address,
    record: blocked,
  })),
  ...['ff02::fb', 'ff02::1:3', 'ff02::1:2', 'ff05::1'].map((address) => ({
    number: 17,
    what: `IPv6 multicast, ${address}`,
    privilege: U,
    script: `datagram(10).sendto(M, (TO, 5353, 0, socket.if_nametoindex('up0')))`,
    to: address,
    record: blocked,
  })),
  {
    number: 66,
    what: 'DNS over TLS',
    privilege: U,
    script: `stream(853)`,
    record: { ...blocked, dst_port: 853 },
  },
  ...[
    ['of this network', '0.1.2.3'],
    ['of the reserved block', '240.1.2.3'],
    ['translated to an allowed one (NAT64)', '64:ff9b::c633:640a'],
    ['that carries an allowed one (compatible)', '::c633:640a'],
    ['that carries an allowed one (6to4)', '2002:c633:640a::1'],
    ['of a tunnel (Teredo)', '2001:0:c633:640a::1'],
    ['of a site', 'fec0::10'],
    ['of a private network, IPv6', 'fd00::10'],
  ].map(([what, address]) => ({
    number: 101,
    what: `an address ${what}`,
    privilege: U,
    script: `datagram(10 if ':' in TO else 2).sendto(M, (TO, 9))`,
    to: String(address),
    record: blocked,
  })),
  {
    number: 16,
    what: 'an option of a socket, to an allowed address',
    privilege: U,
    script: `s = datagram(); s.setsockopt(0, 4, bytes([7, 11, 4]) + bytes(9)); s.sendto(M, (TO, 9))`,
    to: 'open',
    control: { script: `datagram().sendto(M, (TO, 9))` },
    record: { ...shape, dst_port: 9 },
  },
  ...[
    [99, 'instance metadata', '169.254.169.254'],
    [100, "the platform's wire server", '168.63.129.16'],
    [101, 'a private address behind the uplink', '10.9.9.9'],
  ].map(([number, what, address]) => ({
    number: Number(number),
    what: String(what),
    privilege: U,
    script: `stream(80)`,
    to: String(address),
    record: blocked,
  })),
];
