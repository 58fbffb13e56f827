// Datagrams of containers that are larger than the uplink's packets: all of an allowed one arrives,
// nothing of another, and a fragment without its head is nothing the wall lets through.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TOOLS } from '../lab/docker.ts';
import { eachLine, until } from '../lab/lab.ts';
import { ALLOWED, Quay, REFUSED } from './quay.ts';

const quay = new Quay('fragments');
const { docker, guarded } = quay;
const arrived: string[] = [];
const SERVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('${ALLOWED}', 9))
print('ready', flush=True)
while True: print('arrived', len(s.recvfrom(65536)[0]), flush=True)
`;
const NETWORKS = [
  ['bridge', []],
  ['own', ['--network', 'own']],
  ['host', ['--network', 'host']],
] as const;

beforeAll(async () => {
  await quay.open();
  docker.must('network', 'create', 'own');
  for (const [name, options] of NETWORKS) docker.idle(`in-${name}`, ...TOOLS, ...options);
  eachLine(await guarded.lab.serve(SERVER), (text) => arrived.push(text));
  await guarded.guard({ allow: `${ALLOWED}:9/udp, ${ALLOWED}:80/tcp`, icmp: ALLOWED });
}, 90_000);
afterAll(() => quay.close());

function send(name: string, to: string, size: number): string {
  const script = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: print('sent', s.sendto(bytes(${size}), ('${to}', 9)))
except OSError as e: print(e.errno)
`;
  return docker.run('exec', `in-${name}`, '/usr/bin/python3', '-c', script).stdout.trim();
}

test.each(NETWORKS)('a container on %s: a large datagram and a large echo', async (name) => {
  const size = 8000 + name.length;
  expect(send(name, ALLOWED, size)).toBe(`sent ${size}`);
  await until(() => arrived.includes(`arrived ${size}`), 'the datagram');
  const echo = docker.in(`in-${name}`, `/bin/ping -c 1 -W 2 -s 8000 ${ALLOWED}`);
  expect(echo.stdout).toContain('8008 bytes from');
  expect(send(name, REFUSED, size)).toBe('1');
  await quay.expectNoLeak();
});

test('a fragment passes behind the head of its datagram only, and never across it', () => {
  const script = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
gateway = next(w[3] for w in map(str.split, open('/proc/net/arp')) if w[0] == '192.0.2.1')
udp = struct.pack('>HHHH', 5000, 9, 8 + 72, 0) + bytes(40)
def fragment(to, id, offset, more, body):
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), id, more << 13 | offset, 64, 17, 0, socket.inet_aton('192.0.2.2'), socket.inet_aton(to))
    t = sum(struct.unpack('>10H', head)); t = (t >> 16) + (t & 0xffff)
    packet = head[:10] + struct.pack('>H', ~t & 0xffff) + head[12:] + body
    try: s.send(bytes.fromhex(gateway.replace(':', '')) + s.getsockname()[4] + b'\\x08\\0' + packet); print('sent')
    except OSError as e: print(e.errno)
fragment('${ALLOWED}', 7, 6, 0, bytes(32))
fragment('${ALLOWED}', 7, 0, 1, udp)
fragment('${ALLOWED}', 7, 1, 0, bytes(32))
fragment('${ALLOWED}', 8, 6, 0, bytes(32))
fragment('${REFUSED}', 7, 0, 1, udp)
fragment('${REFUSED}', 7, 6, 0, bytes(32))
fragment('${ALLOWED}', 7, 6, 0, bytes(32))
`;
  const done = docker.run('exec', 'in-host', '/usr/bin/python3', '-c', script);
  const refused = '105'; // ENOBUFS: the wall's
  expect([done.stdout.trim().split('\n'), done.stderr]).toEqual([
    [refused, 'sent', refused, refused, refused, refused, 'sent'],
    '',
  ]);
});
