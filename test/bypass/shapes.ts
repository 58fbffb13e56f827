// Packets to an allowed address of which the shape alone is wrong (spec: deny by shape). The control
// is the same packet without the fault.
import { type Case, shape } from './case.ts';

type Row = readonly [what: string, script: string];

const GOOD4 = `ipv4(17, udp(M))`;
const GOOD6 = `ipv6(17, udp(M))`;

/** IPv4 options, as bytes of Python; `TO` is the last of a route. */
const OPTION = (hex: string, route = false) =>
  `bytes.fromhex('${hex}')${route ? ` + socket.inet_aton('203.0.112.9') + b'\\0'` : ''}`;

/** Six bytes of an extension header's data; the chain ends in UDP. */
function chain(kinds: readonly number[], data = '000000000000'): string {
  const [first = 17] = kinds;
  const links = kinds.map((_kind, at) => {
    const next = kinds[at + 1] ?? 17;
    return `bytes([${next}, 0]) + bytes.fromhex('${data}')`;
  });
  return `ipv6(${first}, ${links.join(' + ')} + udp(M))`;
}

/** A routing header with one segment left. */
const ROUTED = (type: number) =>
  `ipv6(43, bytes([17, 2, ${type}, 1, 0, 0, 0, 0]) + socket.inet_pton(10, '2001:db8:bad::9') + udp(M))`;

const FRAGMENT6 = (next: number, offset: number, more: number) =>
  `bytes([${next}, 0]) + struct.pack('>HI', ${offset} << 3 | ${more}, SPORT)`;

/** Faults of packets that a raw socket can send too. */
const V4: readonly Row[] = [
  ['a loose source route', `ipv4(17, udp(M), options=${OPTION('830704', true)})`],
  ['a strict source route', `ipv4(17, udp(M), options=${OPTION('890704', true)})`],
  [
    'a source route behind a router alert',
    `ipv4(17, udp(M), options=${OPTION('94040000830704', true)})`,
  ],
  [
    'a source route behind no-operations',
    `ipv4(17, udp(M), options=${OPTION('01010101830704', true)})`,
  ],
  ['a recorded route', `ipv4(17, udp(M), options=${OPTION('07070400000000 00')})`],
  ['a foreign source address', `ipv4(17, udp(M), src='203.0.112.77')`],
  ['a loopback source address', `ipv4(17, udp(M), src='127.0.0.1')`],
  ["the destination's own address as the source", `ipv4(17, udp(M), src=TO)`],
  ['a later fragment without a first', `ipv4(17, udp(M), fragment=185)`],
  ['a last fragment at a tiny offset', `ipv4(17, udp(M), fragment=1)`],
  ['a TCP header shorter than TCP', `ipv4(6, tcp(M, doff=4))`],
  ['a TCP header longer than the packet', `ipv4(6, tcp(M, doff=15)[:40])`],
  ['a UDP length shorter than UDP', `ipv4(17, udp(M, length=7))`],
  ['a UDP length beyond the packet', `ipv4(17, udp(M, length=600))`],
];

const V6: readonly Row[] = [
  ['a routing header, type 0', ROUTED(0)],
  ['a routing header, type 2', ROUTED(2)],
  ['a routing header, type 4', ROUTED(4)],
  [
    'a routing header behind options',
    `ipv6(60, bytes([43, 0, 1, 4, 0, 0, 0, 0, 17, 2, 0, 1, 0, 0, 0, 0]) + socket.inet_pton(10, '2001:db8:bad::9') + udp(M))`,
  ],
  ['a chain of extensions without an end', chain(Array<number>(12).fill(60), '010400000000')],
  ['an extension beyond the packet', `ipv6(60, bytes([17, 200]) + bytes(6) + udp(M))`],
  ['a later fragment without a first', `ipv6(44, ${FRAGMENT6(17, 100, 0)} + udp(M))`],
  ['a last fragment at a tiny offset', `ipv6(44, ${FRAGMENT6(17, 1, 0)} + udp(M))`],
  ['a tiny first fragment of TCP', `ipv6(44, ${FRAGMENT6(6, 0, 1)} + tcp()[:8]) + M`],
  ['a foreign source address', `ipv6(17, udp(M), src='2001:db8:bad::77')`],
  ['a v4-mapped source address', `ipv6(17, udp(M), src='::ffff:192.0.2.2')`],
  ['a UDP length beyond the packet', `ipv6(17, udp(M, length=600))`],
];

/** Faults only a frame can have. */
const FRAMES4: readonly Row[] = [
  ['a tiny first fragment of TCP', `ipv4(6, tcp()[:8], fragment=0x2000) + M`],
  ['a first fragment that ends before the ports', `ipv4(17, b'', fragment=0x2000) + udp(M)`],
  ['a header length of four words', `ipv4(17, udp(M), ihl=4)`],
  ['a header longer than the packet', `ipv4(17, udp(M), ihl=15)[:48]`],
  ['a total length shorter than the header', `ipv4(17, udp(M), total=12)`],
  ['a total length of nothing', `ipv4(17, udp(M), total=0)`],
  ['a total length beyond the frame', `ipv4(17, udp(M), total=1400)`],
];

const FRAMES6: readonly Row[] = [
  ['a payload length of nothing', `ipv6(17, udp(M), length=0)`],
  ['a payload length beyond the frame', `ipv6(17, udp(M), length=1400)`],
];

function cases(family: 4 | 6, way: 'raw' | 'frame', all: readonly Row[]): readonly Case[] {
  const send = `${way}${family}`;
  return all.map(([what, packet]) => ({
    number: 16,
    what: `IPv${family}, ${way === 'raw' ? 'a raw socket' : 'a frame'}, ${what}`,
    privilege: 'N',
    script: `${send}(${packet})`,
    to: family === 4 ? 'open' : 'open6',
    control: { script: `${send}(${family === 4 ? GOOD4 : GOOD6})` },
    record: shape,
    ...(way === 'frame' ? { only: 'wall' as const } : {}),
  }));
}

/** Two fragments of which the first is good and the second lies over its ports or behind it. */
const OVERLAPPING: readonly Case[] = [0, 1, 2].map((offset) => ({
  number: 16,
  what: `a second fragment that lies over the first, offset ${offset * 8}`,
  privilege: 'N',
  script: `frame4(ipv4(17, udp(b'head' * 8, length=64), fragment=0x2000)); frame4(ipv4(17, M + bytes(16), fragment=${offset || 4}))`,
  to: 'open',
  record: shape,
  only: 'wall',
}));

/** A head whose options leave room for a fragment over its ports. */
const OVER_PORTS: Case = {
  number: 16,
  what: 'IPv6, a head of several fragments with its ports behind options',
  privilege: 'N',
  script: `frame6(ipv6(44, ${FRAGMENT6(60, 0, 1)} + bytes([17, 6, 1, 52]) + bytes(52) + udp(M, length=80)))`,
  to: 'open6',
  control: { script: `frame6(ipv6(44, ${FRAGMENT6(17, 0, 1)} + udp(M, length=112)))` },
  record: shape,
  only: 'wall',
};

/** A packet that is as long as an option of IPv6 says (RFC 2675). */
const JUMBO = `frame6(ipv6(0, bytes([17, 0, 0xc2, 4]) + struct.pack('>I', 16 + len(M)) + udp(M), length=0))`;
const JUMBOGRAM: Case = {
  number: 16,
  what: 'IPv6, a jumbogram',
  privilege: 'N',
  script: JUMBO,
  to: 'open6',
  control: { script: `frame6(ipv6(0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(M)))` },
  record: shape,
  only: 'wall',
};

/** A raw socket that sends what is allowed, then what is not, to the same address and port. */
const AFTERWARDS: readonly Case[] = [
  ['a foreign source address', `ipv4(17, udp(M), src='203.0.112.77')`],
  ['a source route', `ipv4(17, udp(M), options=${OPTION('830704', true)})`],
  ['a fragment of another protocol', `ipv4(47, M + bytes(40), fragment=100)`],
  ['a fragment of the same protocol', `ipv4(17, M + bytes(40), fragment=100)`],
].map(([what = '', packet = '']) => ({
  number: 20,
  what: `what a raw socket sends behind something allowed, ${what}`,
  privilege: 'N',
  script: `s = socket.socket(2, 3, 255); s.sendto(ipv4(17, udp(b'head')), (TO, 0)); s.sendto(${packet}, (TO, 0))`,
  to: 'open',
  control: {
    script: `s = socket.socket(2, 3, 255); s.sendto(ipv4(17, udp(b'head')), (TO, 0)); s.sendto(${GOOD4}, (TO, 0))`,
  },
  record: shape,
}));

export const SHAPES: readonly Case[] = [
  ...cases(4, 'raw', V4),
  ...cases(6, 'raw', V6),
  ...cases(4, 'frame', [...V4, ...FRAMES4]),
  ...cases(6, 'frame', [...V6, ...FRAMES6]),
  ...OVERLAPPING,
  OVER_PORTS,
  JUMBOGRAM,
  ...AFTERWARDS,
];
