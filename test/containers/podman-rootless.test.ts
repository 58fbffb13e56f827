// A user's own podman behind the wall (threats.md 42): slirp4netns as it comes, the machine's network, none,
// and a network of the user's with netavark and its resolver, in a namespace of the user's.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Podman } from '../lab/podman.ts';
import { Place, POLICY, REFUSED_NAME } from './quay.ts';

const place = new Place('userpod', (lab) => new Podman(lab, 'user'));
const { engine: podman, guarded } = place;
const closed: string[] = [];

const CONTAINERS = [
  ['slirp4netns', 'slirp', []],
  ['slirp4netns, a resolver of its own', 'slirpdns', ['--dns', '8.8.8.8']],
  ["the machine's network", 'host', ['--network', 'host']],
  ['a network of its own', 'own', ['--network', 'own']],
] as const;

beforeAll(async () => {
  await place.open();
  podman.must('network', 'create', 'own');
  for (const [, name, options] of CONTAINERS) podman.idle(name, ...options);
  podman.idle('none', '--network', 'none');
  podman.serve('web', '--network', 'own');
  await guarded.guard(POLICY);
}, 180_000);
afterAll(() => {
  place.close();
  process.stdout.write(closed.map((one) => `case 42, ${one}: closed\n`).join(''));
});

describe.each(CONTAINERS)('rootless podman, %s', (what, name) => {
  test('what is allowed is reached, by name and by address', async () => {
    await place.expectAllowed(place.shell(name), `allowed-${name}`);
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
    closed.push(`rootless podman, ${what}`);
  });
});

test('without a network an address is refused too, and a name is asked nobody', async () => {
  const none = place.shell('none');
  const record = await place.expectAddressRefused(none);
  expect(record).toMatchObject({ origin: 'container', cgroup: podman.cgroupOf('none') });
  const name = `none.${REFUSED_NAME}`;
  expect(none(`timed nslookup ${name}`).stdout).toMatch(/code 1/u);
  expect(guarded.heard.filter((text) => text.includes(name))).toEqual([]);
  closed.push('rootless podman, no network');
});

test('containers reach each other by name, unjudged', async () => {
  const since = (await guarded.events()).length;
  const said = place.shell('own')('wget -q -O - http://web:8080/');
  expect(said.stdout.trim()).toBe('web');
  await place.expectNoLeak();
  const events = await guarded.events((all) => all.length > since);
  expect(events.slice(since).filter(({ dst_port: port }) => port === 8080)).toEqual([]);
});
