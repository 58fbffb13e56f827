// Ways of sending by raw sockets and frames made by hand: CAP_NET_RAW, and no more.
import { ALLOWED } from './arena.ts';
import { blocked, type Case, protocol, shape } from './case.ts';

type Row = readonly [number: number, what: string, script: string, rest: Partial<Case>];
const N = 'N' as const;

function rows(all: readonly Row[]): readonly Case[] {
  return all.map(([number, what, script, rest]) => ({
    number,
    what,
    script,
    privilege: N,
    ...rest,
  }));
}

const icmp = (type: number) => `bytes([${type}, 0, 0, 0, 0, 1, 0, 1]) + M`;
const good = { control: { to: 'open' }, record: blocked } as const;
const good6 = { to: 'refused6', control: { to: 'open6' }, record: blocked } as const;

/** An ARP packet of the machine's own address that holds the marker behind the sender. */
const arp = (operation: string, from = '192.0.2.2') =>
  `b'\\0\\1\\x08\\0\\6\\4\\0${operation}' + bytes(6) + socket.inet_aton('${from}') + M.ljust(10, b'\\0')[:10]`;

/** By protocol, and by an address in the header. */
const RAW = rows([
  ...(
    [
      [7, 'UDP-Lite', 136, 'Protocol-136'],
      [7, 'SCTP', 132, 'SCTP'],
      [7, 'DCCP', 33, 'Protocol-33'],
      [7, 'L2TP', 115, 'Protocol-115'],
      [7, 'OSPF', 89, 'OSPF'],
      [7, 'a protocol of nobody', 253, 'Protocol-253'],
      [21, 'ESP', 50, 'ESP'],
      [21, 'AH', 51, 'AH'],
    ] as const
  ).map(
    ([number, what, proto, name]): Row => [
      number,
      what,
      `proto4(${proto}, udp(M))`,
      { to: ALLOWED, record: protocol(name) },
    ],
  ),
  [
    21,
    'GRE',
    `proto4(47, b'\\0\\0\\x08\\0' + ipv4(17, udp(M), '203.0.112.9'))`,
    { to: ALLOWED, record: protocol('GRE') },
  ],
  [
    21,
    'IP in IP',
    `proto4(4, ipv4(17, udp(M), '203.0.112.9'))`,
    { to: ALLOWED, record: protocol('Protocol-4') },
  ],
  [
    21,
    'IPv6 in IP',
    `proto4(41, ipv6(17, udp(M), '2001:db8:bad::9'))`,
    { to: ALLOWED, record: protocol('IPv6-in-IPv4') },
  ],
  [
    21,
    'IP in IPv6',
    `proto6(4, ipv4(17, udp(M), '203.0.112.9'))`,
    { to: 'open6', record: protocol('Protocol-4') },
  ],
  [19, 'raw ICMP', `proto4(1, ${icmp(8)})`, { control: { to: ALLOWED }, record: protocol('ICMP') }],
  ...([0, 3, 11, 12] as const).map(
    (type): Row => [
      19,
      `raw ICMP of a type the kernel makes, ${type}`,
      `proto4(1, ${icmp(type)})`,
      { control: { to: ALLOWED }, record: protocol('ICMP') },
    ],
  ),
  ...([1, 129, 135, 136, 137, 143] as const).map(
    (type): Row => [
      19,
      `raw ICMPv6 of a type the kernel makes, ${type}`,
      `proto6(58, ${icmp(type)})`,
      { to: 'refused6', record: protocol('ICMPv6') },
    ],
  ),
  [19, 'raw IGMP', `proto4(2, b'\\x16\\0\\0\\0' + M)`, { record: protocol('IGMP') }],
  [19, 'raw UDP', `proto4(17, udp(M))`, good],
  [19, 'raw UDP, IPv6', `proto6(17, udp(M))`, good6],
  [19, 'raw TCP', `proto4(6, tcp(M, flags=24))`, good],
  [
    20,
    'a header of its own, addressed past the call',
    `socket.socket(2, 3, 255).sendto(ipv4(17, udp(M)), ('${ALLOWED}', 0))`,
    good,
  ],
  [20, 'a header of its own, IPv6', `raw6(ipv6(17, udp(M)))`, good6],
  [
    20,
    'a header of its own, an ICMP error',
    `raw4(ipv4(1, ${icmp(3)}))`,
    { record: protocol('ICMP') },
  ],
  [29, 'a segment without flags', `raw4(ipv4(6, tcp(M, flags=0)))`, good],
  [29, 'a segment with SYN and FIN', `raw4(ipv4(6, tcp(M, flags=3)))`, good],
  [29, 'an ACK of no connection', `raw4(ipv4(6, tcp(M, flags=16)))`, good],
  [29, 'a reset with a payload', `raw4(ipv4(6, tcp(M, flags=4)))`, good],
  [29, 'a reset with options', `raw4(ipv4(6, tcp(flags=4, options=M)))`, good],
  [
    60,
    'a mark on the socket',
    `s = datagram(); s.setsockopt(1, 36, 0xca12); s.sendto(M, (TO, 9))`,
    good,
  ],
  [
    60,
    'a mark and a priority, to port 53',
    `s = socket.socket(2, 3, 17); s.setsockopt(1, 36, 1); s.setsockopt(1, 12, 6); s.sendto(udp(M, 53), (TO, 0))`,
    { record: blocked },
  ],
  [
    60,
    "a mark, to the upstream's port 53",
    `s = socket.socket(2, 3, 17); s.setsockopt(1, 36, 0xca12); s.sendto(udp(M, 53), (TO, 0))`,
    { to: '192.0.2.53', record: blocked },
  ],
]);

/** Frames: no hook of a cgroup sees them. */
const FRAMES = rows(
  (
    [
      [25, 'a frame made by hand', `frame4(ipv4(17, udp(M)))`, good],
      [25, 'a frame made by hand, IPv6', `frame6(ipv6(17, udp(M)))`, good6],
      [
        25,
        'a frame the kernel heads',
        `s = socket.socket(17, 2, 0x0008); s.sendto(ipv4(17, udp(M)), ('up0', 0x800, 0, 0, b'\\xff' * 6))`,
        good,
      ],
      [28, 'a VLAN tag', `frame(b'\\x81\\0\\0\\x07\\x08\\0', ipv4(17, udp(M)))`, good],
      [
        28,
        'two VLAN tags',
        `frame(b'\\x88\\xa8\\0\\x07\\x81\\0\\0\\x07\\x08\\0', ipv4(17, udp(M)))`,
        good,
      ],
      [
        28,
        'three VLAN tags to an allowed address',
        `frame(b'\\x81\\0\\0\\1' * 3 + b'\\x08\\0', ipv4(17, udp(M)))`,
        { to: 'open', record: { reason: '0x8100' } },
      ],
      [
        28,
        'a tag of the old QinQ type',
        `frame(b'\\x91\\0\\0\\1\\x08\\0', ipv4(17, udp(M)))`,
        { to: 'open', record: { reason: '0x9100' } },
      ],
      [28, 'PPPoE', `frame(b'\\x88\\x64', M)`, { record: { reason: '0x8864' } }],
      [
        28,
        'MPLS',
        `frame(b'\\x88\\x47\\0\\0\\1\\x40', ipv4(17, udp(M)))`,
        { to: 'open', record: { reason: '0x8847' } },
      ],
      [28, 'an EtherType of its own', `frame(b'\\x88\\xb5', M)`, { record: { reason: '0x88b5' } }],
      [
        28,
        'LLC and SNAP',
        `p = b'\\xaa\\xaa\\3\\0\\0\\0\\x08\\0' + ipv4(17, udp(M + bytes(20 - len(M)))); frame(struct.pack('>H', len(p)), p)`,
        { to: 'open', record: { reason: '0x0038' } },
      ],
      [
        28,
        'RARP',
        `frame(b'\\x80\\x35', b'\\0\\1\\x08\\0\\6\\4\\0\\3' + bytes(20) + M)`,
        { record: { reason: '0x8035' } },
      ],
      [
        28,
        'ARP with a payload',
        `frame(b'\\x08\\6', b'\\0\\1\\x08\\0\\6\\4\\0\\1' + bytes(20) + M)`,
        { record: { reason: '0x0806' } },
      ],
      ...[
        ['an operation of its own', arp('\\3')],
        ['the marker as the hardware a request looks for', arp('\\1')],
        ['the address of another', arp('\\2', '203.0.112.77')],
        ['hardware of another kind', arp('\\2').replace('\\0\\1\\x08', '\\0\\6\\x08')],
      ].map(
        ([what, packet]) =>
          [
            28,
            `ARP with ${what}`,
            `frame(b'\\x08\\6', ${packet})`,
            { record: { reason: '0x0806' } },
          ] as const,
      ),
      [
        28,
        'IPv4 called IPv6',
        `frame6(ipv4(17, udp(M)))`,
        { to: 'open', control: { script: `frame4(ipv4(17, udp(M)))` }, record: shape },
      ],
      [
        28,
        'IPv6 called IPv4',
        `frame4(ipv6(17, udp(M)))`,
        { to: 'open6', control: { script: `frame6(ipv6(17, udp(M)))` }, record: shape },
      ],
      [56, 'an echo reply as a frame', `frame4(ipv4(1, ${icmp(0)}))`, { record: protocol('ICMP') }],
      [
        56,
        'a neighbour advertisement as a frame',
        `frame6(ipv6(58, ${icmp(136)}))`,
        { to: 'refused6', record: protocol('ICMPv6') },
      ],
      [
        56,
        'IGMP as a frame',
        `frame4(ipv4(2, b'\\x16\\0\\0\\0' + M))`,
        { to: '224.0.0.22', record: protocol('IGMP') },
      ],
      [56, 'a reset as a frame', `frame4(ipv4(6, tcp(flags=4, options=M)))`, good],
      [
        17,
        'multicast as a frame',
        `frame4(ipv4(17, udp(M, 5353)))`,
        { to: '224.0.0.251', record: blocked },
      ],
      [
        17,
        'a DHCP request as a frame',
        `frame4(ipv4(17, udp(M, 67), src='0.0.0.0'))`,
        { to: '255.255.255.255', record: blocked },
      ],
    ] as const
  ).map(([number, what, script, rest]): Row => [number, what, script, { ...rest, only: 'wall' }]),
);

export const PACKETS: readonly Case[] = [...RAW, ...FRAMES];
