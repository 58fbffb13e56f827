// Containers of a real engine behind the wall, network by network: what is allowed is reached, what
// is not is refused inside at once and recorded as the container's, and what stays on the machine is
// free. Engine, resolvers and packet filter are as they were.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
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
  before = docker.state();
  await guarded.guard(POLICY);
}, 90_000);
afterAll(() => {
  quay.close();
  process.stdout.write(closed.map((one) => `${one}: closed\n`).join(''));
});

/** The records so far of a container. */
async function recordsOf(name: string): Promise<readonly AuditEvent[]> {
  const cgroup = docker.cgroupOf(name);
  return (await guarded.events()).filter((event) => event.cgroup === cgroup);
}

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
