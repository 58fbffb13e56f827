// Containers of a real engine behind the wall, network by network: what is allowed is reached, what
// is not is refused inside at once and recorded as the container's, and what stays on the machine is
// free. Engine, resolvers and packet filter are as they were.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { tell } from '../bypass/told.ts';
import { ALLOWED, ALLOWED_NAME, POLICY, Quay } from './quay.ts';

const quay = new Quay('networks');
const { docker, guarded } = quay;
const closed: string[] = [];
const GOOGLE = ['--dns', '8.8.8.8'] as const;
let before: ReturnType<typeof docker.state>;

const CONTAINERS = [
  ['36', 'a user-defined bridge', 'user', ['--network', 'own']],
  [
    '36',
    'a user-defined bridge, a resolver of its own',
    'userdns',
    ['--network', 'own', ...GOOGLE],
  ],
  ['38', "the host's network", 'host', ['--network', 'host']],
  ['38', "the host's network and processes", 'hostpid', ['--network', 'host', '--pid', 'host']],
  ['39', 'the default bridge', 'bridge', []],
  ['39', 'the default bridge, a resolver of its own', 'bridgedns', GOOGLE],
  ['39', "another container's network", 'shared', ['--network', 'container:bridge']],
] as const;

beforeAll(async () => {
  await quay.open();
  docker.must('network', 'create', 'own');
  for (const [, , name, options] of CONTAINERS) docker.idle(name, ...options);
  docker.idle('none', '--network', 'none');
  docker.serve('web', '--network', 'own', '-p', '8081:8080');
  docker.serve('loop', '-p', '127.0.0.1:8082:8080');
  before = docker.state();
  await guarded.guard(POLICY);
}, 90_000);
afterAll(() => {
  quay.close();
  tell(closed.map((one) => `${one}: closed`));
});

describe.each(CONTAINERS)('case %s, %s', (number, what, name) => {
  test('what is allowed is reached, by name and by address, and recorded once', async () => {
    const since = (await guarded.events()).length;
    await quay.expectAllowed(quay.shell(name), `allowed-${name}`);
    const events = (await guarded.events((all) => all.slice(since).length >= 2)).slice(since);
    const flow = { event_type: 'connection_allowed', origin: 'container', process: 'wget' };
    const own = { ...flow, cgroup: docker.cgroupOf(name) };
    const web = events.filter(({ dst_port: port }) => port === 80);
    expect(web).toMatchObject([
      { ...own, dst_hostname: ALLOWED_NAME },
      { ...own, dst_ip: ALLOWED, matched_rule: ALLOWED },
    ]);
  });

  test('a name that is not allowed is refused, and asked nobody', async () => {
    const record = await quay.expectNameRefused(quay.shell(name));
    expect(record).toMatchObject({ origin: 'container' });
  });

  test('an address that is not allowed is refused at once, and recorded as of this container', async () => {
    const record = await quay.expectAddressRefused(quay.shell(name));
    expect(record).toMatchObject({
      origin: 'container',
      cgroup: docker.cgroupOf(name),
      layer: 'connect',
    });
    closed.push(`case ${number}, ${what}`);
  });
});

test('case 39, without a network an address is refused too, and a name is asked nobody', async () => {
  const none = quay.shell('none');
  const record = await quay.expectAddressRefused(none);
  expect(record).toMatchObject({ origin: 'container', cgroup: docker.cgroupOf('none') });
  const heard = guarded.heard.length;
  expect(none('timed nslookup none.evil.example.net').stdout).toMatch(/code 1/u);
  expect(guarded.heard.slice(heard).filter((text) => text.includes('none.evil'))).toEqual([]);
  closed.push('case 39, no network');
});

test("case 145, a question is the container's, whoever forwards it", async () => {
  const direct = await quay.expectNameRefused(quay.shell('bridge'));
  expect(direct).toMatchObject({
    origin: 'container',
    process: 'nslookup',
    cgroup: docker.cgroupOf('bridge'),
    src_ip: docker.addressOf('bridge'),
  });
  const forwarded = await quay.expectNameRefused(quay.shell('user'));
  expect(forwarded).toMatchObject({
    origin: 'container',
    process: 'dockerd',
    src_ip: docker.addressOf('user'),
  });
  const elsewhere = await quay.expectNameRefused(quay.shell('bridge'), '203.0.113.7');
  expect(elsewhere).toMatchObject({ origin: 'container', process: 'nslookup' });
  closed.push('case 145, a question by way of the engine');
});

describe('what stays on the machine is free, and no news', () => {
  const gateway = () => docker.must('inspect', '-f', '{{.NetworkSettings.Gateway}}', 'bridge');

  test.each([
    ['container to container, by name', 'user', () => 'http://web:8080/', 'web'],
    ['container to container', 'user', () => `http://${docker.addressOf('web')}:8080/`, 'web'],
    ['container to a published port', 'bridge', () => `http://${gateway()}:8081/`, 'web'],
    ["container to the machine's address", 'bridge', () => 'http://192.0.2.2:8081/', 'web'],
    [
      "the host's network to a container",
      'host',
      () => `http://${docker.addressOf('web')}:8080/`,
      'web',
    ],
  ])('%s', async (_what, from, url, answer) => {
    await expectFree(() => docker.in(from, `wget -q -O - ${url()}`).stdout, answer);
  });

  test.each([
    ['machine to container', () => `http://${docker.addressOf('web')}:8080/`, 'web'],
    ['machine to a published port', () => 'http://192.0.2.2:8081/', 'web'],
    ['machine to a port published on loopback', () => 'http://127.0.0.1:8082/', 'loop'],
  ])('%s', async (_what, url, answer) => {
    await expectFree(() => guarded.run('curl', '-s', '-m', '5', url()).stdout, answer);
  });

  /** A request that is answered, and leaves no record: only the next one's. */
  async function expectFree(request: () => string, answer: string): Promise<void> {
    const since = (await guarded.events()).length;
    expect(request().trim()).toBe(answer);
    guarded.run('curl', '-s', `http://${ALLOWED}/after`);
    const isAfter = ({ dst_ip: address }: { dst_ip?: string }) => address === ALLOWED;
    const events = await guarded.events((all) => all.slice(since).some(isAfter));
    expect(
      events.slice(since).map(({ dst_ip: address, dst_hostname: name }) => [name, address]),
    ).toEqual([[undefined, ALLOWED]]);
  }
});

test('case 18, a connection from outside to a published port is not an opening', async () => {
  const outside = ['netns', 'exec', guarded.lab.net, 'curl', '-s', '-m', '2'];
  const done = spawnSync('ip', [...outside, 'http://192.0.2.2:8081/'], { encoding: 'utf8' });
  expect([done.status, done.stdout]).toEqual([28, '']);
  const isIt = (event: AuditEvent) => event.dst_ip === '192.0.2.1' && event.blocked;
  const events = await guarded.events((all) => all.some(isIt));
  expect(events.find(isIt)).toMatchObject({ src_ip: docker.addressOf('web'), protocol: 'TCP' });
  closed.push('case 18, a published port from outside');
});

test('the engine runs on as it was, with its configuration, rules and resolvers', async () => {
  await quay.expectNoLeak();
  expect(before['rules']).toContain('MASQUERADE');
  expect(docker.state()).toEqual(before);
});
