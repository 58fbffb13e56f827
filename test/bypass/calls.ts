// Ways of sending by what a socket is made to be, or by what goes with a single call.
import { ALLOWED } from './arena.ts';
import { blocked, type Case } from './case.ts';

const U = 'U' as const;
const to = { to: ALLOWED } as const;
const LIBC = `libc = ctypes.CDLL(None, use_errno=True)`;
/** Established without a handshake, as who moves a connection here does (TCP_REPAIR), and no probe. */
const REPAIR = `
s = socket.socket(); s.setsockopt(6, 19, 1); s.bind(('192.0.2.2', 0)); s.connect((TO, 443))
s.setsockopt(6, 29, struct.pack('5I', 0, 65535, 65535, 65535, 0)); s.setsockopt(6, 19, -1); s.sendall(M)`;
const LISTENER = `
${LIBC}; s = socket.socket(); s.bind(('', 0)); s.listen()
libc.connect(s.fileno(), bytes(16), 16); s.settimeout(1); s.connect((TO, 443)); s.sendall(M)`;
/** A socket of IPv6 that was connected to an IPv4 address becomes one of IPv4 (IPV6_ADDRFORM). */
const ADDRFORM = `
s = datagram(10); s.connect(('::ffff:${ALLOWED}', 9)); s.setsockopt(41, 1, 2)
s = socket.socket(2, 2, 17, fileno=s.detach()); s.sendto(M, (TO, 9))`;
const GROUP = `
def one(): s = datagram(); s.setsockopt(1, 15, 1); s.bind(('', SPORT)); return s
a = one(); a.connect(('${ALLOWED}', 9)); a.send(b'x'); s = one(); s.connect((TO, 9)); s.send(M)`;
const MAPPED_SOURCE = `
datagram(10).sendmsg([M], [(41, 50, socket.inet_pton(10, '::ffff:192.0.2.2') + bytes(4))], 0, ('::ffff:' + TO, 9))`;
const LSRR = `
datagram().sendmsg([M], [(0, 7, bytes([131, 7, 4]) + socket.inet_aton(TO) + b'\\0')], 0, ('${ALLOWED}', 9))`;

/** A datagram socket that forgets its peer (AF_UNSPEC). */
const FORGETS = `
${LIBC}; s = datagram(); s.connect(('${ALLOWED}', 9)); s.send(b'x')
libc.connect(s.fileno(), bytes(16), 16)
try: s.sendto(M, (TO, 9))
except ConnectionRefusedError: s.sendto(M, (TO, 9))`; // of the first datagram: nobody listens there
/** A device the socket is told to send by: SO_BINDTODEVICE, IP_UNICAST_IF, IP_PKTINFO. */
const DEVICE = `s = datagram(); s.setsockopt(1, 25, b'up0\\0'); s.sendto(M, (TO, 9))`;
const UNICAST = `
s = datagram(); s.setsockopt(0, 50, struct.pack('>I', socket.if_nametoindex('up0'))); s.sendto(M, (TO, 9))`;
const BY_INDEX = `
datagram().sendmsg([M], [(0, 8, struct.pack('i', socket.if_nametoindex('up0')) + bytes(8))], 0, (TO, 9))`;

export const CALLS: readonly Case[] = [
  {
    number: 5,
    what: 'a stream that is established by its own word (TCP_REPAIR)',
    privilege: 'R',
    script: REPAIR,
    control: to,
    record: blocked,
  },
  {
    number: 2,
    what: 'a listening socket taken apart and connected',
    privilege: U,
    script: LISTENER,
    control: to,
    record: blocked,
  },
  {
    number: 12,
    what: 'a socket of IPv6 made one of IPv4',
    privilege: U,
    script: ADDRFORM,
    control: to,
    record: blocked,
  },
  {
    number: 2,
    what: 'one of several sockets on a port',
    privilege: U,
    script: GROUP,
    control: to,
    record: blocked,
  },
  {
    number: 12,
    what: 'a v4-mapped address with a v4-mapped source',
    privilege: U,
    script: MAPPED_SOURCE,
    control: to,
    record: blocked,
  },
  {
    number: 16,
    what: 'a source route that goes with the datagram',
    privilege: 'N',
    script: LSRR,
    control: { script: `datagram().sendto(M, ('${ALLOWED}', 9))` },
    record: blocked,
  },
  {
    number: 2,
    what: 'a datagram socket that forgets its peer',
    privilege: U,
    script: FORGETS,
    control: to,
    record: blocked,
  },
  {
    number: 2,
    what: 'a socket bound to the uplink',
    privilege: U,
    script: DEVICE,
    control: to,
    record: blocked,
  },
  {
    number: 2,
    what: "a socket that sends by the uplink's number",
    privilege: U,
    script: UNICAST,
    control: to,
    record: blocked,
  },
  {
    number: 2,
    what: "a datagram that names the uplink's number",
    privilege: U,
    script: BY_INDEX,
    control: to,
    record: blocked,
  },
];
