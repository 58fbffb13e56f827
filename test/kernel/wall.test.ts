// The programs on the real kernel: what a policy's entries let through and what they refuse.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DECIDED_BY, LAYER, MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy, rule } from '../lab/entries.ts';
import { eachLine, Lab, OTHER4, SERVER4, SERVER6, until } from '../lab/lab.ts';
import { events, start } from '../lab/started.ts';

const lab = new Lab('wall');
const arrived: string[] = [];

const SERVER = `
import socket, select, sys
sockets = []
for address in ['${SERVER4}', '${OTHER4}', '10.1.2.3', '${SERVER6}']:
    for port in [80, 443, 8443]:
        for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM]:
            s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            if kind == socket.SOCK_STREAM: s.listen(16)
            sockets.append(s)
print('ready', flush=True)
while True:
    for s in select.select(sockets, [], [])[0]:
        name = s.getsockname()
        if s.type == socket.SOCK_STREAM:
            c, _ = s.accept(); c.sendall(b'hello'); c.close()
        else:
            s.recvfrom(2048)
        print('arrived', 'tcp' if s.type == socket.SOCK_STREAM else 'udp', name[0], name[1], flush=True)
`;

/** One TCP connect by the job: the text of its outcome. */
function connect(address: string, port: number): string {
  const family = address.includes(':') ? 'AF_INET6' : 'AF_INET';
  const script = `
import socket, time
s = socket.socket(socket.${family}, socket.SOCK_STREAM); s.settimeout(3)
t = time.perf_counter()
try:
    s.connect(('${address}', ${port})); print('connected')
except OSError as e:
    print(type(e).__name__, e.errno, 'fast' if time.perf_counter() - t < 0.5 else 'slow')
`;
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}

/** One datagram by the job. */
function datagram(address: string, port: number, connected: boolean): string {
  const send = connected
    ? `s.connect(('${address}', ${port})); s.send(b'x')`
    : `s.sendto(b'x', ('${address}', ${port}))`;
  const script = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    ${send}; print('sent')
except OSError as e:
    print(type(e).__name__, e.errno)
`;
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}

const REFUSED = 'PermissionError 1 fast';
const ALLOW = VERDICT.ALLOW;

beforeAll(async () => {
  await lab.open();
  const server = await lab.serve(SERVER);
  eachLine(server, (text) => arrived.push(text));
  const started = await start(lab, {
    mode: MODE.ENFORCE,
    writes: [
      policy(VERDICT.DENY),
      rule({ address: SERVER4, length: 32, proto: 6, port: 443, verdict: ALLOW, rule: 1 }),
      rule({ address: '10.0.0.0', length: 8, proto: 6, port: 443, verdict: ALLOW, rule: 2 }),
      rule({ address: '10.1.2.3', length: 32, proto: 17, port: 443, verdict: ALLOW, rule: 3 }),
      rule({ address: SERVER6, length: 128, proto: 6, port: 443, verdict: ALLOW, rule: 4 }),
    ],
  });
  expect(started.green.wall).toBe(0);
  expect(started.green.pin).toBe(0);
});

afterAll(() => lab.close());

test('an allowed address and port is reached over IPv4', async () => {
  expect(connect(SERVER4, 443)).toBe('connected');
  await until(() => arrived.includes(`arrived tcp ${SERVER4} 443`), 'the connection arrives');
});

test('an allowed address and port is reached over IPv6', () => {
  expect(connect(SERVER6, 443)).toBe('connected');
});

test('a prefix with a port covers an inner address, and a narrower rule does not hide it', () => {
  expect(connect('10.1.2.3', 443)).toBe('connected');
  expect(datagram('10.1.2.3', 443, false)).toBe('sent');
});

test('a v4-mapped destination is judged as the IPv4 address', () => {
  expect(connect(`::ffff:${SERVER4}`, 443)).toBe('connected');
  expect(connect(`::ffff:${OTHER4}`, 443)).toBe(REFUSED);
});

test('connect() to another port or address is refused at once, arrives nowhere and is recorded once', async () => {
  const before = events(lab).length;
  expect(connect(SERVER4, 8443)).toBe(REFUSED);
  expect(connect(OTHER4, 443)).toBe(REFUSED);
  await until(() => events(lab).length >= before + 2, 'two records');
  const records = events(lab).slice(before);
  expect(
    records.map((one) => [one.destination, one.port, one.allowed, one.layer, one.comm]),
  ).toEqual([
    [SERVER4, 8443, false, LAYER.CONNECT, 'python3'],
    [OTHER4, 443, false, LAYER.CONNECT, 'python3'],
  ]);
  expect(records.every((one) => one.pid > 1 && one.by === DECIDED_BY.DEFAULT)).toBe(true);
  expect(arrived).not.toContain(`arrived tcp ${OTHER4} 443`);
  expect(arrived).not.toContain(`arrived tcp ${SERVER4} 8443`);
});

test('the first datagram is refused, connected or not; connect() of a datagram socket is not', async () => {
  expect(datagram(OTHER4, 443, false)).toBe('PermissionError 1');
  expect(datagram(OTHER4, 443, true)).toBe('PermissionError 1');
  await until(
    () => events(lab).filter((one) => one.proto === 17 && one.destination === OTHER4).length >= 2,
    'records',
  );
  const layers = events(lab)
    .filter((one) => one.proto === 17 && one.destination === OTHER4 && !one.allowed)
    .map((one) => one.layer);
  expect(layers).toEqual([LAYER.SENDMSG, LAYER.EGRESS]);
  expect(arrived).not.toContain(`arrived udp ${OTHER4} 443`);
});

test('an allowed flow has one record, with its process', () => {
  const allowed = events(lab).filter((one) => one.allowed && one.destination === '10.1.2.3');
  expect(allowed.map((one) => [one.proto, one.rule, one.comm])).toEqual([
    [6, 2, 'python3'],
    [17, 3, 'python3'],
  ]);
});

test('local traffic is neither judged nor recorded', () => {
  const before = events(lab).length;
  expect(connect('127.0.0.1', 9)).toMatch(/ConnectionRefusedError/);
  expect(connect('192.0.2.2', 9)).toMatch(/ConnectionRefusedError/);
  expect(events(lab).length).toBe(before);
});

test('raw sockets of the job send nothing', () => {
  const script = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
try:
    s.sendto(b'xxxx', ('${SERVER4}', 0)); print('sent')
except OSError as e:
    print(type(e).__name__)
`;
  expect(lab.run('/usr/bin/python3', '-c', script).stdout.trim()).toBe('PermissionError');
  expect(events(lab).at(-1)).toMatchObject({ proto: 47, by: DECIDED_BY.PROTOCOL, allowed: false });
});

test.each([
  ['a datagram', '0800', '17', '0009000900080000', DECIDED_BY.DEFAULT],
  [
    'a reset with a payload',
    '0800',
    '6',
    `000901bb0000000000000000500400000000${'0000'}${'41'.repeat(8)}`,
    DECIDED_BY.DEFAULT,
  ],
  ['an EtherType that is not IP', '88cc', '17', '0009000900080000', DECIDED_BY.NOT_IP],
])(
  'the wall alone refuses %s sent as a raw frame',
  async (_name, ethertype, proto, payload, by) => {
    const before = events(lab).length;
    const script = `
import socket, struct
body = bytes.fromhex('${payload}')
ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 0, 0, 9, ${proto}, 0,
                 socket.inet_aton('192.0.2.2'), socket.inet_aton('${OTHER4}'))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
try:
    s.send(b'\\xff' * 6 + b'\\x02' * 6 + bytes.fromhex('${ethertype}') + ip + body); print('sent')
except OSError as e:
    print(e.errno)
`;
    expect(lab.run('/usr/bin/python3', '-c', script).stdout.trim()).toBe('105'); // ENOBUFS
    await until(() => events(lab).length > before, 'the record');
    expect(events(lab).at(-1)).toMatchObject({ by, layer: LAYER.TC, allowed: false });
  },
);
