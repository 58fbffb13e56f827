// Podman of root's behind the wall (threats.md 36 to 41), with netavark and its resolver as they come: no
// service starts its containers, they descend from the job's own commands.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { until } from '../lab/lab.ts';
import { Podman } from '../lab/podman.ts';
import { ALLOWED, ALLOWED_NAME, Place, POLICY, REFUSED, REFUSED_NAME, TIMED } from './quay.ts';

const place = new Place('podman', (lab) => new Podman(lab));
const { engine: podman, guarded } = place;
const closed: string[] = [];
const DNS = ['--dns', '8.8.8.8'] as const;
let before: ReturnType<typeof podman.state>;

const CONTAINERS = [
  ['36', 'a network of its own', 'own', ['--network', 'own']],
  ['36', 'a network of its own, a resolver of its own', 'owndns', ['--network', 'own', ...DNS]],
  ['38', "the machine's network", 'host', ['--network', 'host']],
  ['39', 'the default network', 'default', []],
  ['39', 'the default network, a resolver of its own', 'defaultdns', DNS],
  ['39', "another container's network", 'shared', ['--network', 'container:default']],
] as const;
const NAMES = CONTAINERS.map(([, , name]) => name);

beforeAll(async () => {
  await place.open();
  podman.must('network', 'create', 'own');
  for (const [, , name, options] of CONTAINERS) podman.idle(name, ...options);
  podman.idle('none', '--network', 'none');
  podman.serve('web', '--network', 'own', '-p', '8081:8080');
  before = podman.state(...NAMES);
  await guarded.guard(POLICY);
}, 180_000);
afterAll(() => {
  place.close();
  process.stdout.write(closed.map((one) => `${one}: closed\n`).join(''));
});

describe.each(CONTAINERS)('case %s, podman, %s', (number, what, name) => {
  test('what is allowed is reached, by name and by address, and recorded once', async () => {
    const since = (await guarded.events()).length;
    await place.expectAllowed(place.shell(name), `allowed-${name}`);
    const events = (await guarded.events((all) => all.slice(since).length >= 2)).slice(since);
    const own = {
      event_type: 'connection_allowed',
      origin: 'container',
      process: 'wget',
      cgroup: podman.cgroupOf(name),
    };
    expect(events.filter(({ dst_port: port }) => port === 80)).toMatchObject([
      { ...own, dst_hostname: ALLOWED_NAME },
      { ...own, dst_ip: ALLOWED, matched_rule: ALLOWED },
    ]);
  });

  test('a name that is not allowed is refused, and asked nobody', async () => {
    expect(await place.expectNameRefused(place.shell(name))).toMatchObject({ blocked: true });
  });

  test('an address that is not allowed is refused at once, and recorded as of this container', async () => {
    const record = await place.expectAddressRefused(place.shell(name));
    expect(record).toMatchObject({
      origin: 'container',
      cgroup: podman.cgroupOf(name),
      layer: 'connect',
    });
    closed.push(`case ${number}, podman, ${what}`);
  });
});

test('case 39, podman, without a network an address is refused too, and a name is asked nobody', async () => {
  const none = place.shell('none');
  const record = await place.expectAddressRefused(none);
  expect(record).toMatchObject({ origin: 'container', cgroup: podman.cgroupOf('none') });
  const name = `none.${REFUSED_NAME}`;
  expect(none(`timed nslookup ${name}`).stdout).toMatch(/code 1/u);
  expect(guarded.heard.filter((text) => text.includes(name))).toEqual([]);
  closed.push('case 39, podman, no network');
});

test('containers reach each other, and the machine them, unjudged', async () => {
  const since = (await guarded.events()).length;
  const web = place.shell('own')('wget -q -O - http://web:8080/');
  expect(web.stdout.trim()).toBe('web');
  for (const at of [`${podman.addressOf('web')}:8080`, '192.0.2.2:8081']) {
    expect(guarded.run('curl', '-s', '-m', '5', `http://${at}/`).stdout.trim()).toBe('web');
  }
  guarded.run('curl', '-s', `http://${ALLOWED}/after`);
  const events = await guarded.events((all) => all.length > since);
  expect(events.slice(since).map(({ dst_ip: address }) => address)).toEqual([ALLOWED]);
});

const toRefused = ({ dst_ip: address, blocked }: AuditEvent) => address === REFUSED && blocked;

/** What a step recorded of the refused address. */
async function refusals(step: () => void): Promise<readonly AuditEvent[]> {
  const since = (await guarded.events()).length;
  step();
  const events = await guarded.events((all) => all.slice(since).some(toRefused));
  await place.expectNoLeak();
  return events.slice(since).filter(toRefused);
}

test.each([
  ['private', 'a network of its own'],
  ['host', "the machine's network"],
])('case 41, a RUN of podman build in the network %s', async (network, what) => {
  const mark = `podman-${network}`;
  const script = `${TIMED}
    wget -q -O - http://${ALLOWED_NAME}/${mark}
    timed nc -w 5 ${REFUSED} 81
    nslookup ${mark}.${REFUSED_NAME} || true`;
  const lines = 'FROM box\nCOPY script /script\nRUN sh /script 2>&1\n';
  const context = podman.context({ Containerfile: lines, script });
  let said = '';
  const refused = await refusals(() => {
    const options = ['--no-cache', '--isolation', 'oci', '--network', network];
    const done = podman.run('build', ...options, context);
    said = `${done.stdout}${done.stderr}`;
    expect([done.code, said]).toEqual([0, expect.stringContaining('COMMIT')]);
  });
  expect(said).toContain(`hello from ${ALLOWED_NAME}`);
  expect(said).toContain('not permitted');
  expect(Number(/code 1 in (\d+)/u.exec(said)?.[1])).toBeLessThan(100);
  expect(said).toContain('REFUSED');
  expect(refused).toMatchObject([{ origin: 'container', process: 'nc', dst_port: 81 }]);
  expect(guarded.heard.filter((text) => text.includes(`${mark}.${REFUSED_NAME}`))).toEqual([]);
  closed.push(`case 41, a RUN of podman build in ${what}`);
});

test('case 34, what podman itself fetches is refused', async () => {
  let said = '';
  const [refused] = await refusals(() => {
    const done = podman.run('pull', '--tls-verify=false', `${REFUSED}:5000/image`);
    expect(done.code).not.toBe(0);
    said = `${done.stdout}${done.stderr}`;
  });
  expect(said).toContain('operation not permitted');
  expect(refused).toMatchObject({ process: 'podman', dst_port: 5000 });
  closed.push('case 34, downloads of podman');
});

test('rules and resolvers are as they were', async () => {
  await until(() => podman.in('own', 'true').code === 0, 'podman');
  expect(before['rules']).toContain('NETAVARK');
  expect(podman.state(...NAMES)).toEqual(before);
});
