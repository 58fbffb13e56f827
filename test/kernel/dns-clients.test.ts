// Every kind of DNS client reaches the proxy, whatever server it means; a refused name leaves no
// packet. And what must leave no record leaves none.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { line } from '../lab/lab.ts';

const guarded = new Guarded('dnsc');
const ALLOWED = 'registry.example.com';
const ADDRESS = '198.51.100.10';
const REFUSED = 'evil.example.net';
const MUSL = '/tmp/cargowall-musl-client';

const NODE = (name: string) =>
  `new (require('dns').Resolver)({ tries: 1 }).resolve4('${name}', (e, a) => console.log(e ? e.code : a[0]))`;
const PYTHON = (name: string) => `
import socket
try: print(socket.getaddrinfo('${name}', 443, socket.AF_INET)[0][4][0])
except socket.gaierror as e: print('refused', e.errno)
`;
const MUSL_SOURCE = `
#include <netdb.h>
#include <stdio.h>
#include <arpa/inet.h>
int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	char text[64];
	if (argc < 2 || getaddrinfo(argv[1], "443", &hints, &found))
		return puts("refused"), 0;
	inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof(text));
	return puts(text), 0;
}
`;

/** A question on a socket that sends by one interface, as systemd-resolved asks its servers. */
const BY_INTERFACE = (family: 4 | 6, server: string, connects: boolean) => (name: string) => [
  '/usr/bin/python3',
  '-c',
  `
import socket, struct
s = socket.socket(${family === 4 ? 2 : 10}, 2); s.settimeout(3)
s.setsockopt(${family === 4 ? '0, 50' : '41, 76'}, struct.pack('>I', socket.if_nametoindex('up0')))
name = b''.join(bytes([len(label)]) + label.encode() for label in '${name}'.split('.'))
question = struct.pack('>6H', 7, 256, 1, 0, 0, 0) + name + b'\\0\\0\\1\\0\\1'
${connects ? `s.connect(('${server}', 53)); s.send(question)` : `s.sendto(question, ('${server}', 53))`}
a, who = s.recvfrom(512)
assert who[:2] == ('${server}', 53), who
print('refused' if a[3] & 15 else socket.inet_ntoa(a[-4:]))`,
];

const CLIENTS: readonly [string, (name: string) => string[]][] = [
  ['getent (getaddrinfo)', (name) => ['getent', 'ahostsv4', name]],
  ['dig over UDP', (name) => ['dig', '+tries=1', '+time=3', name]],
  ['dig over TCP', (name) => ['dig', '+tcp', '+tries=1', '+time=3', name]],
  ['dig at a public resolver', (name) => ['dig', '+tries=1', '+time=3', '@8.8.8.8', name]],
  ['dig at one over IPv6', (name) => ['dig', '+tries=1', '+time=3', '@2001:4860:4860::8888', name]],
  ["Node's c-ares", (name) => [process.execPath, '-e', NODE(name)]],
  ['Python', (name) => ['/usr/bin/python3', '-c', PYTHON(name)]],
  ['a socket that sends by one interface', BY_INTERFACE(4, '8.8.8.8', false)],
  ['a connected socket that sends by one interface', BY_INTERFACE(4, '8.8.8.8', true)],
  ['one that does over IPv6', BY_INTERFACE(6, '2001:4860:4860::8888', true)],
  ['a static musl program', (name) => [MUSL, name]],
];

beforeAll(async () => {
  writeFileSync(`${MUSL}.c`, MUSL_SOURCE);
  const built = spawnSync('musl-gcc', ['-static', '-o', MUSL, `${MUSL}.c`], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`musl-gcc: ${built.error ?? built.stderr}`);
  await guarded.open();
  await guarded.guard({ allow: `${ALLOWED}:443` });
});
afterAll(() => {
  guarded.close();
  for (const path of [MUSL, `${MUSL}.c`]) rmSync(path, { force: true });
});

describe.each(CLIENTS)('%s', (_, command) => {
  test('an allowed name is answered', () => {
    expect(guarded.run(...command(ALLOWED)).stdout).toContain(ADDRESS);
  });

  test('a refused name is refused, recorded with its asker, and no packet leaves', async () => {
    const name = `${command('x').join('').length}.${REFUSED}`;
    const before = (await guarded.events()).length;
    const { stdout } = guarded.run(...command(name));
    expect(stdout).not.toContain('198.51.100');
    const events = await guarded.events((all) => all.length > before);
    const blocked = events.slice(before);
    expect(new Set(blocked.map(({ dst_hostname: host }) => host))).toEqual(new Set([name]));
    for (const event of blocked) {
      expect(event).toMatchObject({ event_type: 'dns_blocked', blocked: true });
      expect(event.process).not.toBe('');
      expect(event.pid).toBeGreaterThan(1);
    }
    expect(guarded.heard.filter((line) => line.includes(REFUSED))).toEqual([]);
  });
});

test('a resolver of its own in another namespace serves siblings, and is judged for the rest', async () => {
  const script = `
import socket, struct, sys, threading
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.11', 53)); print('ready', flush=True)
while True:
    q, who = s.recvfrom(512)
    if b'sibling' in q:
        end = q.index(b'\\0', 12) + 5
        s.sendto(q[:2] + b'\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0' + q[12:end] + b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xac\\x1e\\0\\x07', who)
    else:
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(3); u.sendto(q, ('192.0.2.53', 53)); s.sendto(u.recv(4096), who)
`;
  const box = ['nsenter', `--net=/run/cw-netns/${guarded.lab.box}`];
  const server = guarded.lab.spawn([...box, '/usr/bin/python3', '-u', '-c', script]);
  await line(server, 'ready');
  const ask = (name: string) =>
    guarded.lab.runBoxed('dig', '+tries=1', '+time=3', '@127.0.0.11', name).stdout;
  expect(ask('sibling')).toContain('172.30.0.7');
  expect(ask(ALLOWED)).toContain(ADDRESS);
  const before = (await guarded.events()).length;
  expect(ask(`boxed.${REFUSED}`)).toContain('REFUSED');
  const events = await guarded.events((all) => all.length > before);
  expect(events.at(-1)).toMatchObject({ event_type: 'dns_blocked', origin: 'container' });
});

test('looking names up, sorting addresses by datagram connects and local traffic leave no record', async () => {
  const before = (await guarded.events()).length;
  const script = `
import socket, threading
socket.getaddrinfo('${ALLOWED}', 443)
for to in ['198.51.100.20', '203.0.113.7', '8.8.8.8']:
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((to, 9)); u.getsockname()
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(); c = socket.create_connection(l.getsockname()); c.sendall(b'x')
try: socket.create_connection(('172.30.0.2', 9), 2)
except ConnectionRefusedError: print('bridge answered')
print('done')
`;
  expect(guarded.run('/usr/bin/python3', '-c', script).stdout).toBe('bridge answered\ndone\n');
  // What comes after it in the log shows that nothing of it is still on its way.
  guarded.run('curl', '-sS', '-m', '2', 'http://198.51.100.20/');
  const events = await guarded.events((all) => all.length > before);
  expect(events).toHaveLength(before + 1);
  expect(events.at(-1)).toMatchObject({ dst_ip: '198.51.100.20', dst_port: 80, process: 'curl' });
});

test('one name over both families, from here and from a container-like namespace', () => {
  const curl = (family: string) => ['curl', family, '-sS', '-k', '-m', '5', `https://${ALLOWED}/`];
  expect(guarded.run(...curl('-4')).stdout).toContain('hello');
  expect(guarded.run(...curl('-6')).stdout).toContain('hello');
  const boxed = guarded.lab.runBoxed('unshare', '-m', 'sh', '-c', curl('-4').join(' '));
  expect(boxed.stdout).toContain('hello');
});

test('a stranger from the network reaches no socket of the proxy, and is counted', () => {
  const { lab } = guarded;
  const listening = lab.run('ss', '-Hulnp', 'src 192.0.2.2').stdout;
  const port = /192\.0\.2\.2:(\d+)/u.exec(listening)?.[1] ?? '';
  const unowned = () => {
    const ask = `
import socket
c = socket.socket(socket.AF_UNIX); c.connect('/run/cargowall/control.sock'); c.sendall(b'{"command":"status"}\\n')
print(c.makefile().readline())`;
    return JSON.parse(lab.run('/usr/bin/python3', '-c', ask).stdout).lost.dns_unowned;
  };
  const before = unowned();
  const answer = spawnSync('ip', [
    'netns',
    'exec',
    lab.net,
    'dig',
    '+tries=1',
    '+time=2',
    '-p',
    port,
    '@192.0.2.2',
    ALLOWED,
  ]);
  expect(answer.stdout.toString()).toMatch(/connection refused|timed out/iu);
  expect(unowned()).toBe(before + 1);
});
