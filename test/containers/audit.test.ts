// Mode audit with containers: everything arrives, and what enforce would refuse is recorded once, as
// the container's, translated or not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../lab/lab.ts';
import { POLICY, Quay, REFUSED, REFUSED_NAME } from './quay.ts';

const quay = new Quay('audit');
const { docker, guarded } = quay;
const NETWORKS = [
  ['bridge', []],
  ['own', ['--network', 'own']],
  ['host', ['--network', 'host']],
] as const;

beforeAll(async () => {
  await quay.open();
  docker.must('network', 'create', 'own');
  for (const [name, options] of NETWORKS) docker.idle(`in-${name}`, ...options);
  await guarded.guard({ ...POLICY, mode: 'audit' });
}, 90_000);
afterAll(() => quay.close());

test.each(NETWORKS)('a container on %s', async (name) => {
  const since = (await guarded.events()).length;
  const url = `http://${REFUSED_NAME}/audit-${name}`;
  expect(docker.in(`in-${name}`, `wget -q -O - ${url}`).stdout).toContain(REFUSED_NAME);
  await until(() => guarded.heard.some((text) => text.includes(`/audit-${name} `)), 'the server');
  guarded.run('curl', '-s', 'http://198.51.100.11/after');
  const events = await guarded.events((all) =>
    all.slice(since).some(({ dst_ip: address }) => address === '198.51.100.11'),
  );
  const flows = events.slice(since).filter(({ dst_ip: address }) => address === REFUSED);
  expect(flows).toMatchObject([
    {
      event_type: 'connection_blocked',
      would_deny: true,
      blocked: false,
      origin: 'container',
      process: 'wget',
      dst_hostname: REFUSED_NAME,
      cgroup: docker.cgroupOf(`in-${name}`),
    },
  ]);
});
