// Port 53 goes to the proxy, whoever asks whatever server, and nobody sees it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { hexAddress, policy } from '../lab/entries.ts';
import { eachLine, Lab, OTHER4, until } from '../lab/lab.ts';
import { start } from '../lab/started.ts';

const lab = new Lab('steer');
const arrived: string[] = [];
const SERVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('${OTHER4}', 53))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(2048); print('arrived', a, flush=True)
`;

beforeAll(async () => {
  await lab.open();
  const server = await lab.serve(SERVER);
  eachLine(server, (text) => arrived.push(text));
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
});
afterAll(() => lab.close());

/** A question for blocked.example; prints the answer's code and the server it seems to come from. */
function client(kind: 'connected' | 'unconnected' | 'tcp', server: string): string[] {
  const family = server.includes(':') ? 'AF_INET6' : 'AF_INET';
  const type = kind === 'tcp' ? 'SOCK_STREAM' : 'SOCK_DGRAM';
  const exchange = {
    connected: `s.connect(to); s.send(q); d = s.recv(2048); who = s.getpeername()`,
    unconnected: `s.sendto(q, to); d, who = s.recvfrom(2048)`,
    tcp: `s.connect(to); s.sendall(struct.pack('>H', len(q)) + q); d = s.recv(2048)[2:]; who = s.getpeername()`,
  }[kind];
  const script = `
import socket, struct
q = bytes.fromhex('123401000001000000000000') + b'\\x07blocked\\x07example\\x00\\x00\\x01\\x00\\x01'
s = socket.socket(socket.${family}, socket.${type}); s.settimeout(3); to = ('${server}', 53)
${exchange}
print('id', d[:2].hex(), 'code', d[3] & 15, 'from', who[0], who[1])
`;
  return ['/usr/bin/python3', '-c', script];
}

function log(): string {
  return lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
}

test.each([
  ['connected', OTHER4],
  ['unconnected', OTHER4],
  ['tcp', OTHER4],
  ['connected', '2001:db8:1::53'],
  ['unconnected', '2001:db8:1::53'],
  ['tcp', '2001:db8:1::53'],
  ['connected', `::ffff:${OTHER4}`],
  ['unconnected', `::ffff:${OTHER4}`],
] as const)(
  'a %s client of %s is answered by the proxy and sees its own server',
  async (kind, server) => {
    const done = lab.run(...client(kind, server));
    expect(done.stdout.trim()).toBe(`id 1234 code 5 from ${server} 53`);
    const meant = hexAddress(server.replace('::ffff:', '')).toString('hex');
    await until(
      () => log().includes(`asker python3 true ${meant} 53 ${kind === 'tcp' ? 6 : 17}`),
      'the asker',
    );
  },
);

test.each(['connected', 'unconnected', 'tcp'] as const)(
  'a %s client in another namespace likewise',
  (kind) => {
    const done = lab.runBoxed(...client(kind, OTHER4));
    expect(done.stdout.trim()).toBe(`id 1234 code 5 from ${OTHER4} 53`);
  },
);

test('a server on the loopback of another namespace is left alone', () => {
  const script = `
import socket, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.11', 53))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2)
s.sendto(b'sibling?', ('127.0.0.11', 53)); d, who = u.recvfrom(100); print(d.decode())
`;
  expect(lab.runBoxed('/usr/bin/python3', '-c', script).stdout.trim()).toBe('sibling?');
});

test.each(['connected', 'unconnected', 'tcp'] as const)(
  'a %s client bound to a device is answered, by its own server as it sees it',
  (kind) => {
    const [file = '', flag = '', script = ''] = client(kind, OTHER4);
    const bound = script.replace(
      '; s.settimeout(3)',
      "; s.setsockopt(1, 25, b'up0'); s.settimeout(3)",
    );
    expect(bound).not.toBe(script);
    expect(lab.run(file, flag, bound).stdout.trim()).toBe(`id 1234 code 5 from ${OTHER4} 53`);
  },
);

test('no question reached a server of the internet', () => {
  expect(arrived).toEqual([]);
});
