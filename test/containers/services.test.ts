// Containers that were there before the wall, with flows open through the engine's NAT (spec 7): which
// go on, which are closed, and what is recorded. The flows are silent until the wall stands.
import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { IMAGE, TOOLS } from '../lab/docker.ts';
import { eachLine, line } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';
import { Quay, REFUSED } from './quay.ts';

const ALLOWED = '198.51.100.10';
const NEITHER = '198.51.100.11';
const OPEN = `
import socket, sys
flows = []
for a in ['${ALLOWED}', '${REFUSED}', '${NEITHER}']:
    c = socket.socket(); c.settimeout(2); c.connect((a, 80)); flows.append((a, c))
print('open', flush=True)
sys.stdin.readline()
for a, c in flows:
    try:
        c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        print(a + (' goes on' if c.recv(4) == b'HTTP' else ' ended'), flush=True)
    except OSError as e: print(a + ' ' + type(e).__name__, flush=True)
print('done', flush=True)
`;
const CLOSED = 'ConnectionAbortedError';
const POLICY: SessionWishes = { allow: 'registry.example.com:80', block: REFUSED };

const closed: string[] = [];
afterAll(() => {
  tell(closed.map((one) => `${one}: closed`));
});

let quay: Quay;
beforeEach(async () => {
  quay = new Quay('services');
  await quay.open();
}, 60_000);
afterEach(() => {
  quay.docker.run('rm', '-f', 'service');
  quay.close();
});

/** A container with three open flows, in a network. */
async function open(...options: string[]): Promise<ChildProcess> {
  const words = ['run', '-i', '--name', 'service', ...TOOLS, ...options, IMAGE];
  const child = quay.docker.spawn(...words, '/usr/bin/python3', '-u', '-c', OPEN);
  await line(child, 'open', 20_000);
  return child;
}

/** Lets the container use its flows; what became of each. */
async function use(child: ChildProcess): Promise<readonly string[]> {
  const lines: string[] = [];
  eachLine(child, (text) => lines.push(text));
  const done = line(child, 'done', 20_000);
  child.stdin?.write('\n');
  await done;
  return lines.filter((text) => text.includes(' '));
}

async function recorded() {
  const events = await quay.guarded.events();
  return events
    .filter((event) => event.event_type === 'existing_connection' && event.dst_port === 80)
    .map(({ dst_ip: address, blocked, origin, process }) => [address, blocked, origin, process]);
}

describe.each([
  ['the default bridge', []],
  ['a user-defined bridge', ['--network', 'own']],
  ["the host's network", ['--network', 'host']],
])('case 37, a service on %s', (what, options) => {
  beforeEach(() => quay.docker.must('network', 'create', 'own'));

  test('what a rule denies is closed, all else goes on', async () => {
    const service = await open(...options);
    await quay.guarded.guard(POLICY);
    expect(await use(service)).toEqual([
      `${ALLOWED} goes on`,
      `${REFUSED} ${CLOSED}`,
      `${NEITHER} goes on`,
    ]);
    expect((await recorded()).sort()).toEqual([
      [ALLOWED, false, 'container', 'python3'],
      [NEITHER, false, 'container', 'python3'],
      [REFUSED, true, 'container', 'python3'],
    ]);
    closed.push(`case 37, a service on ${what}`);
  });

  test('allow-existing-connections: false closes what no rule allows', async () => {
    const service = await open(...options);
    await quay.guarded.guard({ ...POLICY, allowExisting: false });
    expect(await use(service)).toEqual([
      `${ALLOWED} goes on`,
      `${REFUSED} ${CLOSED}`,
      `${NEITHER} ${CLOSED}`,
    ]);
  });
});
