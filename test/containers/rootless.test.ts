// A rootless network, as podman has it (threats.md 42): slirp4netns makes connections of the machine out of an
// unprivileged namespace's packets. What is in the namespace is judged, and so is what slirp4netns sends.
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { tell } from '../bypass/told.ts';
import { line, until } from '../lab/lab.ts';
import { ALLOWED, ALLOWED_NAME, POLICY, Quay, REFUSED, REFUSED_NAME } from './quay.ts';

const USER = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const quay = new Quay('rootless');
const { guarded } = quay;
const closed: string[] = [];
/** The namespace's first process, its root: runs each Python text it is sent. */
let inner: ChildProcess;

/** Runs a command in the namespace, without its privileges. */
const run = (...command: string[]) =>
  guarded.run('nsenter', '-t', String(inner.pid), '-U', '-n', '--preserve-credentials', ...command);

beforeAll(async () => {
  await quay.open();
  await guarded.guard(POLICY);
  const shell = ['/usr/bin/python3', '-u', '-c', 'import sys\nfor l in sys.stdin: exec(eval(l))'];
  inner = guarded.lab.spawn([...USER, 'unshare', '-Urn', ...shell]);
  // until it has one of its own, `ip` speaks of the machine's
  const devices = () => run('ip', '-o', 'addr').stdout + run('ip', '-o', 'link').stdout;
  await until(() => /^1: lo/mu.test(devices()) && !devices().includes('up0'), 'the namespace');
  guarded.lab.spawn([...USER, 'slirp4netns', '--configure', String(inner.pid), 'tap0']);
  await until(() => devices().includes('10.0.2.100'), 'its network');
}, 90_000);
afterAll(() => {
  quay.close();
  tell(closed.map((one) => `case 42, ${one}: closed`));
});

const blocked = (port: number) => (event: AuditEvent) => event.blocked && event.dst_port === port;

test('what is allowed is reached, by name and by address', () => {
  for (const host of [ALLOWED_NAME, ALLOWED]) {
    expect(run('curl', '-s', '-m', '5', `http://${host}/`).stdout).toContain(`hello from ${host}`);
  }
});

test('a name is refused, and asked nobody', async () => {
  const name = `rootless.${REFUSED_NAME}`;
  expect(run('dig', '+tries=1', '+time=3', name).stdout).toContain('REFUSED');
  const isIt = (event: AuditEvent) => event.dst_hostname === name;
  const events = await guarded.events((all) => all.some(isIt));
  expect(events.find(isIt)).toMatchObject({ event_type: 'dns_blocked', blocked: true });
  expect(guarded.heard.filter((text) => text.includes(name))).toEqual([]);
  closed.push('a name asked in a rootless network');
});

test('an address is refused inside, at once', async () => {
  const { stderr } = run('curl', '-s', '-S', '-m', '5', `http://${REFUSED}:91/`);
  expect(stderr).toContain('Failed to connect');
  const events = await guarded.events((all) => all.some(blocked(91)));
  expect(events.filter(blocked(91))).toMatchObject([{ origin: 'container', process: 'curl' }]);
  await quay.expectNoLeak();
  closed.push('an address in a rootless network');
});

/** A datagram that no hook inside sees, on its way to slirp4netns. */
const FRAME = `
import socket, struct
src, dst, body = '10.0.2.100', '${REFUSED}', struct.pack('>HHHH', 4000, 92, 12, 0) + b'mark'
head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
t = sum(struct.unpack('>10H', head)); t = (t >> 16) + (t & 0xffff)
packet = head[:10] + struct.pack('>H', ~t & 0xffff) + head[12:] + body
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('tap0', 0))
print('sent', s.send(b'\\x52\\x55\\x0a\\x00\\x02\\x02' + s.getsockname()[4] + b'\\x08\\0' + packet))
`;

test("what goes past the hooks inside is refused to slirp4netns' own socket", async () => {
  const sent = line(inner, 'sent');
  inner.stdin?.write(`${JSON.stringify(FRAME)}\n`);
  await sent;
  const events = await guarded.events((all) => all.some(blocked(92)));
  expect(events.filter(blocked(92))).toMatchObject([{ dst_ip: REFUSED, process: 'slirp4netns' }]);
  await quay.expectNoLeak();
  closed.push("slirp4netns' own sockets");
});
