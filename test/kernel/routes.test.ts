// What leaves the machine is told by its routes; what can't be told is judged.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy } from '../lab/entries.ts';
import { Lab, OTHER4, until } from '../lab/lab.ts';
import { start } from '../lab/started.ts';

const lab = new Lab('route');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };

beforeEach(() => lab.open());
afterEach(() => lab.close());

function ip(...words: string[]): void {
  execFileSync('ip', ['-n', lab.runner, ...words]);
}

function connect(address: string): string {
  const script = `
import socket
s = socket.socket(); s.settimeout(2)
try: s.connect(('${address}', 443)); print('connected')
except OSError as e: print(type(e).__name__)
`;
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}

test('a prefix behind several gateways is judged', async () => {
  const hop = ['nexthop', 'via', '192.0.2.1', 'dev', 'up0'];
  ip('route', 'add', '198.51.100.0/24', ...hop, ...['nexthop', 'via', '192.0.2.3', 'dev', 'up0']);
  await start(lab, closed);
  expect(connect(OTHER4)).toBe('PermissionError');
});

test('metadata behind a bridge is judged all the same', async () => {
  ip('route', 'add', '169.254.0.0/16', 'dev', 'br0');
  await start(lab, closed);
  expect(connect('169.254.169.254')).toBe('PermissionError');
});

test.each([
  ['::ffff:0:0/96', 'of IPv4 as IPv6 writes it'],
  ['::/3', 'around it'],
  ['::ffff:198.51.100.0/120', 'inside it'],
])('the route %s behind a bridge, %s, opens no IPv4 address', async (prefix) => {
  ip('-6', 'route', 'add', prefix, 'dev', 'br0');
  await start(lab, closed);
  expect(connect(OTHER4)).toBe('PermissionError');
});

test('a bridge that gets a gateway after the start leads off the machine', async () => {
  await start(lab, closed);
  expect(connect('172.30.0.2')).toBe('ConnectionRefusedError');
  ip('route', 'add', '198.18.0.0/24', 'via', '172.30.0.2');
  await until(() => connect('172.30.0.2') === 'PermissionError', 'the bridge is covered');
});
