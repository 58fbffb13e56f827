// An engine in a container (threats.md 42): what the inner engine starts is judged like any other
// container, whatever bridges and translations lie between it and the machine's uplink.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { ROOT, TOOLS } from '../lab/docker.ts';
import { until } from '../lab/lab.ts';
import { POLICY, Quay, type Shell, TIMED } from './quay.ts';

const quay = new Quay('nested');
const { docker, guarded } = quay;
const closed: string[] = [];

/** What makes a container's file systems an engine's: cgroups it may write, settings of its network. */
const INNER = `
set -e
for path in /sys /proc/sys /sys/fs/cgroup; do mount -o remount,rw $path; done
mkdir /sys/fs/cgroup/inner
for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo $pid > /sys/fs/cgroup/inner/cgroup.procs || true; done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec dockerd --storage-driver vfs --data-root /inner --exec-root /inner-run --pidfile /inner.pid \\
  --exec-opt native.cgroupdriver=cgroupfs -H unix:///inner.sock > /inner.log 2>&1
`;
const CLIENT = '/usr/bin/docker -H unix:///inner.sock';

/** A shell in a container of the inner engine, made for the occasion. */
function inner(options = ''): Shell {
  return (script) => {
    const packed = Buffer.from(`${TIMED}${script}`).toString('base64');
    return quay.shell('outer')(
      `echo ${packed} | base64 -d | ${CLIENT} run -i --rm ${options} box sh`,
    );
  };
}

beforeAll(async () => {
  await quay.open();
  await guarded.guard(POLICY);
  docker.must(
    ...['run', '-d', '--name', 'outer', ...ROOT, ...TOOLS],
    ...['-v', '/etc/alternatives:/etc/alternatives:ro'],
    ...['-v', `${join(docker.folder, 'root.tar')}:/root.tar:ro`],
    ...['box', 'sh', '-c', INNER],
  );
  await until(
    () => docker.in('outer', `${CLIENT} version`).code === 0,
    'the inner engine',
    30_000,
  ).catch((cause: unknown) => {
    const log = `${docker.in('outer', 'tail -c 2000 /inner.log').stdout}${docker.run('logs', 'outer').stderr}`;
    throw new Error(`the inner engine does not answer: ${log}`, { cause });
  });
  expect(docker.in('outer', `${CLIENT} import /root.tar box`)).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => {
  quay.close();
  tell(closed.map((one) => `${one}: closed`));
});

describe.each([
  ['on its bridge', ''],
  ["with the outer container's network", '--network host'],
])('a container in a container, %s', (what, options) => {
  test('reaches what is allowed, by name and by address', async () => {
    await quay.expectAllowed(inner(options), `nested${options.length}`);
  });

  test('is refused a name', async () => {
    const record = await quay.expectNameRefused(inner(options));
    expect(record).toMatchObject({ origin: 'container' });
  });

  test('is refused an address, at once, and nothing arrives', async () => {
    const record = await quay.expectAddressRefused(inner(options));
    expect(record).toMatchObject({ origin: 'container', layer: 'connect' });
    closed.push(`case 42, a container in a container, ${what}`);
  });
});
