// What was open before the start: that one flow goes on as the specification says, and is no way for
// anything else.
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { line } from '../lab/lab.ts';
import { ALLOWED, Arena, ATTACKER, POLICY } from './arena.ts';
import { isDocumented, Told } from './told.ts';

const told = new Told();
let arena: Arena;
let job: ChildProcess;

/** A process of the job that runs the lines it is sent, one answer each. */
const JOB = `
for l in sys.stdin:
    try: exec(l); print('done', flush=True)
    except OSError as e: print(type(e).__name__, flush=True)
`;

/** Has the job do something; what came of it. */
async function does(script: string): Promise<string> {
  const answer = line(job, '');
  job.stdin?.write(`${script}\n`);
  return (await answer).trim();
}

async function startJob(prefix: readonly string[] = []): Promise<void> {
  const words = arena.words('R', `print('ready', flush=True)\n${JOB}`, ATTACKER, 'mark-none!');
  job = arena.guarded.lab.spawn([...prefix, ...words]);
  await line(job, 'ready');
}

beforeEach(async () => {
  arena = new Arena('before');
  await arena.open();
  await startJob();
}, 60_000);
afterEach(() => arena.close());
afterAll(() => told.print());

const SEND = (marker: string) => `s.sendall(b'${marker}')`;

describe('cases 47 and 48 (U)', () => {
  test('a stream goes on as this one flow, a new one to the same address is refused', async () => {
    const open = `s = socket.socket(); s.settimeout(2); s.connect(('${ATTACKER}', 443))`;
    expect(await does(open)).toBe('done');
    await arena.guard();
    const marker = arena.marker();
    expect(await does(SEND(marker))).toBe('done');
    expect(await arena.hasArrived(marker, true)).toBe(true);
    const isIt = (event: { event_type: string; dst_ip?: string }) =>
      event.event_type === 'existing_connection' && event.dst_ip === ATTACKER;
    await arena.guarded.events((all) => all.some(isIt));
    for (const script of [open, open.replace('443', '80')]) {
      expect(await does(script)).toBe('PermissionError');
    }
    expect(arena.attempt('U', 'stream()', ATTACKER).stdout).toContain('PermissionError');
    told.closed('47, 48', 'a stream open before goes on alone');
    expect(isDocumented('L10')).toBe(true);
    told.limit(55, 'what a step before the action opened, which is listed', 'L10');
  });

  test('flows are closed where existing connections are not allowed', async () => {
    expect(
      await does(`s = socket.socket(); s.settimeout(2); s.connect(('${ATTACKER}', 443))`),
    ).toBe('done');
    expect(await does(`u = datagram(); u.connect((TO, 9)); u.send(b'mark-open!')`)).toBe('done');
    expect(await arena.hasArrived('mark-open!', true)).toBe(true);
    await arena.guard({ ...POLICY, allowExisting: false });
    for (const socket of ['s', 'u']) {
      const marker = arena.marker();
      expect(await does(`${socket}.send(b'${marker}')`)).toMatch(/Error$/u);
      expect(await arena.hasArrived(marker, false)).toBe(false);
    }
    told.closed(47, 'a stream and a datagram flow where existing connections are not allowed');
  });

  test.each([
    ['a datagram socket', `s = datagram()`, (m: string) => `s.sendto(b'${m}', (TO, 9))`],
    [
      'a stream socket',
      `s = socket.socket(); s.settimeout(1)`,
      (m: string) => `s.connect((TO, 443)); s.sendall(b'${m}')`,
    ],
    [
      'a raw socket, an echo reply',
      `s = socket.socket(2, 3, 1)`,
      (m: string) => `s.sendto(bytes(8) + b'${m}', (TO, 0))`,
    ],
    [
      'a raw socket, IGMP',
      `s = socket.socket(2, 3, 2)`,
      (m: string) => `s.sendto(b'\\x16\\0\\0\\0${m}', (TO, 0))`,
    ],
    [
      'a raw socket, a reset with options',
      `s = socket.socket(2, 3, 255)`,
      (m: string) => `s.sendto(ipv4(6, tcp(flags=4, options=b'${m}')), (TO, 0))`,
    ],
    [
      'a packet socket',
      `s = socket.socket(17, 3); s.bind(('up0', 0))`,
      (m: string) =>
        `s.send(b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(b'${m}')))`,
    ],
  ])('%s made before has no way out after', async (what, open, send) => {
    expect(await does(open)).toBe('done');
    await arena.guard();
    const marker = arena.marker();
    expect(await does(send(marker))).toMatch(/Error$/u);
    expect(await arena.hasArrived(marker, false)).toBe(false);
    expect((await arena.blocksOf(ATTACKER)).length).toBeGreaterThan(0);
    told.closed(47, `${what} made before`);
  });
});

/** A socket of the job's on a port of its own, and what makes the same flow again. */
const FLOW = `f = datagram(); f.setsockopt(1, 15, 1); f.bind(('192.0.2.2', 7999)); f.connect((TO, 9))`;
const AGAIN = FLOW.replaceAll('f.', 'g.').replace('f =', 'g =');

/** Takes what is sent to the attacker, so that nothing says it is not wanted. */
const SINK = `
import socket
s = socket.socket(2, 2); s.bind(('${ATTACKER}', 9)); print('ready', flush=True)
while True: s.recv(999)`;

describe('case 48 (U), a socket made after takes the place of a flow open before', () => {
  test.each([
    ['beside its socket', 'pass', `${AGAIN}; g.send(b'%')`],
    ['behind its socket', 'f.close()', `${AGAIN}; g.send(b'%')`],
    [
      'with headers of its own (N)',
      'f.close()',
      `SPORT = 7999; g = socket.socket(2, 3, 255); g.sendto(ipv4(17, udp(b'%')), (TO, 0))`,
    ],
  ])('a datagram flow, %s', async (what, end, again) => {
    await arena.guarded.lab.serve(SINK);
    expect(await does(`${FLOW}; f.send(b'mark-open!')`)).toBe('done');
    expect(await arena.hasArrived('mark-open!', true)).toBe(true);
    await arena.guard();
    const own = arena.marker();
    expect(await does(`f.send(b'${own}')`)).toBe('done');
    expect(await arena.hasArrived(own, true)).toBe(true);
    const marker = arena.marker();
    expect(await does(end)).toBe('done');
    expect(await does(again.replace('%', marker))).toBe('PermissionError');
    expect(await arena.hasArrived(marker, false)).toBe(false);
    expect(await arena.blocksOf(ATTACKER)).toHaveLength(1);
    told.closed(48, `a socket made after, ${what}`);
  });

  test('a stream, with headers of its own (N)', async () => {
    const open = `f = socket.socket(); f.bind(('192.0.2.2', 7998)); f.settimeout(2); f.connect((TO, 443))`;
    expect(await does(open)).toBe('done');
    await arena.guard();
    const marker = arena.marker();
    const raw = `SPORT = 7998; socket.socket(2, 3, 255).sendto(ipv4(6, tcp(b'${marker}', flags=16)), (TO, 0))`;
    expect(await does(raw)).toBe('PermissionError');
    expect(await arena.hasArrived(marker, false)).toBe(false);
    const own = arena.marker();
    expect(await does(`f.sendall(b'${own}')`)).toBe('done');
    expect(await arena.hasArrived(own, true)).toBe(true);
    told.closed(48, 'a stream of headers made by hand beside one open before');
  });
});

test('case 48 (U), who asks the machine for an echo during the start opens nothing', async () => {
  const asker = await arena.guarded.lab.serve(`
import socket, time
s = socket.socket(2, 3, 1); s.bind(('${ATTACKER}', 0)); print('ready', flush=True)
for i in range(3000): s.sendto(b'\\x08\\0\\xf7\\xfd\\0\\1\\0\\1', ('192.0.2.2', 0)); time.sleep(0.005)`);
  await arena.guard();
  asker.kill('SIGKILL');
  const ping = `socket.socket(2, 2, 1).sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`;
  const tried = arena.attempt('U', ping, ATTACKER);
  expect(tried.stdout).toContain('PermissionError');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf(ATTACKER)).toMatchObject([{ event_type: 'protocol_blocked' }]);
  told.closed(48, 'who asks for an echo during the start');
});

test('case 37 (U), a container that is older than the wall', async () => {
  await startJob(['nsenter', `--net=/run/cw-netns/${arena.guarded.lab.box}`]);
  const open = `s = socket.socket(); s.settimeout(2); s.connect((TO, 443))`;
  expect(await does(open)).toBe('done');
  expect(await does(`u = datagram()`)).toBe('done');
  await arena.guard();
  const marker = arena.marker();
  expect(await does(SEND(marker))).toBe('done');
  expect(await arena.hasArrived(marker, true)).toBe(true);
  const isIt = (event: { event_type: string; origin?: string }) =>
    event.event_type === 'existing_connection' && event.origin === 'container';
  await arena.guarded.events((all) => all.some(isIt));
  expect(await does(open)).toBe('PermissionError');
  const next = arena.marker();
  expect(await does(`u.sendto(b'${next}', (TO, 9))`)).toBe('PermissionError');
  expect(await arena.hasArrived(next, false)).toBe(false);
  told.closed(37, 'a container that is older than the wall');
});

test('case 37 (D), a datagram flow of a container that was idle has ended', async () => {
  await arena.guarded.lab.serve(SINK);
  await startJob(['nsenter', `--net=/run/cw-netns/${arena.guarded.lab.box}`]);
  expect(await does(`f = datagram(); f.connect((TO, 9)); f.send(b'mark-open!')`)).toBe('done');
  await arena.guard({ ...POLICY, times: { flowIdleMs: 5000 } });
  const own = arena.marker();
  expect(await does(`f.send(b'${own}')`)).toBe('done');
  expect(await arena.hasArrived(own, true)).toBe(true);
  const marker = arena.marker();
  expect(await does(`time.sleep(5.1); f.send(b'${marker}')`)).toBe('done'); // its idle time
  expect(await arena.blocksOf(ATTACKER)).toMatchObject([{ layer: 'tc', protocol: 'UDP' }]);
  expect(await arena.hasArrived(marker, false)).toBe(false);
  told.closed(37, 'a datagram flow of a container that was idle');
});

/** A question for a name, as bytes of Python. */
const QUESTION = (name: string) =>
  `b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + b''.join(bytes([len(p)]) + p.encode() for p in '${name}'.split('.')) + b'\\0\\0\\1\\0\\1'`;

test.each([
  ['a socket that names the resolver each time', '', `s.sendto(%, ('192.0.2.53', 53))`],
  ['a socket connected to the resolver', `s.connect(('192.0.2.53', 53))`, `s.send(%)`],
])('case 52 (U), questions on %s, asked before and after', async (what, connect, send) => {
  const ask = (name: string) => send.replace('%', QUESTION(name));
  expect(await does(`s = datagram(); s.settimeout(2); ${connect || 'pass'}`)).toBe('done');
  expect(await does(`${ask('before.example.com')}; s.recv(999)`)).toBe('done');
  await arena.guard();
  const after = await does(`${ask('after.example.com')}; r = s.recv(999); assert r[3] & 15 == 5`);
  expect(after).toMatch(connect === '' ? /^done$/u : /Error$/u);
  await arena.barrier();
  const heard = arena.guarded.heard.filter((text) => text.startsWith('dns'));
  expect(heard.filter((text) => text.includes('before.example.com'))).toHaveLength(1);
  expect(heard.filter((text) => text.includes('after.example.com'))).toEqual([]);
  told.closed(52, `questions on ${what}`);
});

test('case 53 (U), the other side sends first, from port 53', async () => {
  expect(await does(`s = datagram(); s.settimeout(3); s.bind(('192.0.2.2', 7053))`)).toBe('done');
  await arena.guard();
  const other = await arena.guarded.lab.serve(`
import socket
s = socket.socket(2, 2); s.bind(('${ATTACKER}', 53)); s.sendto(b'first', ('192.0.2.2', 7053)); print('ready', flush=True)
import time; time.sleep(5)`);
  expect(await does(`d, a = s.recvfrom(99); assert a == ('${ATTACKER}', 53)`)).toBe('done');
  const marker = arena.marker();
  await does(`s.sendto(b'${marker}', a)`); // to the proxy, which makes nothing of it
  expect(await arena.hasArrived(marker, false)).toBe(false);
  // the socket that was picked up asks like any other
  const ask = (name: string, code: number) =>
    does(
      `s.sendto(${QUESTION(name)}, a); r, f = s.recvfrom(999); assert (r[3] & 15, f) == (${code}, a)`,
    );
  expect(await ask('picked.example.net', 5)).toBe('done');
  expect(await ask('registry.example.com', 0)).toBe('done');
  const isIt = ({ dst_hostname: name }: { dst_hostname?: string }) => name === 'picked.example.net';
  const refused = (await arena.guarded.events((all) => all.some(isIt))).filter(isIt);
  expect(refused).toMatchObject([{ event_type: 'dns_blocked', blocked: true }]);
  expect(arena.guarded.heard.filter((text) => text.includes('picked'))).toEqual([]);
  other.kill('SIGKILL');
  told.closed(53, 'the other side sends first, from port 53');
});

test('case 50 (R), a flow a conntrack helper expects', async () => {
  const { guarded } = arena;
  await arena.guard();
  const helper = ['-p', 'tcp', '--dport', '443', '-j', 'CT', '--helper', 'ftp'];
  expect(arena.root('iptables', '-t', 'raw', '-A', 'OUTPUT', ...helper)).toBe('');
  const track = ['-m', 'conntrack', '--ctstate', 'RELATED', '-j', 'ACCEPT'];
  expect(arena.root('iptables', '-A', 'OUTPUT', ...track)).toBe('');
  const port = `s = socket.socket(); s.settimeout(2); s.connect(('${ALLOWED}', 443)); s.sendall(b'x\\r\\n'); import fcntl; list(iter(lambda: fcntl.ioctl(s, 0x5411, bytes(4)), bytes(4))); s.sendall(b'PORT 192,0,2,2,31,144\\r\\n')`;
  expect(await does(port)).toBe('done');
  expect(guarded.run('cat', '/proc/net/nf_conntrack_expect').stdout).toContain('dport=8080');
  // what is expected comes in by that port; its answer goes where nobody allowed
  expect(await does(`l = socket.socket(); l.bind(('192.0.2.2', 8080)); l.listen(1)`)).toBe('done');
  const caller = await guarded.lab.serve(`print('ready', flush=True)
import socket
s = socket.socket(); s.settimeout(1); s.bind(('${ALLOWED}', 20))
try: s.connect(('192.0.2.2', 8080)); print('connected', flush=True)
except OSError as e: print(type(e).__name__, flush=True)
`);
  expect(await line(caller, 'e')).toBe('TimeoutError');
  const isIt = (event: { dst_port?: number; blocked: boolean }) =>
    event.dst_port === 20 && event.blocked;
  await guarded.events((all) => all.some(isIt));
  expect(await does(`stream()`)).toBe('PermissionError');
  told.closed(50, 'a flow a conntrack helper expects');
});
