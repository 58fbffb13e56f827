// Builds by BuildKit, dockerd's own (threats.md 41): a RUN is judged like any other container, in each
// network, and so is what the builder fetches itself.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { tell } from '../bypass/told.ts';
import { until } from '../lab/lab.ts';
import { ALLOWED, ALLOWED_NAME, POLICY, Quay, REFUSED, REFUSED_NAME, TIMED } from './quay.ts';

const quay = new Quay('buildkit');
const { docker, guarded } = quay;
const closed: string[] = [];

beforeAll(async () => {
  await quay.open();
  await guarded.guard(POLICY);
}, 90_000);
afterAll(() => {
  quay.close();
  tell(closed.map((one) => `${one}: closed`));
});

/** Builds these lines on the image, with a script to run, and gives what the build printed. */
function build(lines: string, script = '', ...options: string[]) {
  const files = { Dockerfile: `FROM box\n${lines}\n`, script: `${TIMED}${script}` };
  const words = ['--progress', 'plain', '--no-cache', ...options, docker.context(files)];
  const done = docker.runWith(['DOCKER_BUILDKIT=1'], 'build', ...words);
  return { ...done, said: `${done.stdout}${done.stderr}` };
}
const RUN = 'COPY script /script\nRUN sh /script';

/** What a step recorded of a destination. */
async function recorded(
  isIt: (event: AuditEvent) => boolean,
  step: () => void,
): Promise<readonly AuditEvent[]> {
  const since = (await guarded.events()).length;
  step();
  const events = await guarded.events((all) => all.slice(since).some(isIt));
  await quay.expectNoLeak();
  return events.slice(since).filter(isIt);
}

const toRefused = ({ dst_ip: address, blocked }: AuditEvent) => address === REFUSED && blocked;

test('the builder is BuildKit', () => {
  const { said, code } = build('RUN echo from-a-run');
  expect([code, said]).toEqual([0, expect.stringMatching(/^#\d+ .*from-a-run/mu)]);
});

test.each([
  ['default', 'the default bridge'],
  ['host', "the machine's network"],
])('a RUN in the network %s reaches what is allowed and nothing else', async (network, what) => {
  const mark = `buildkit-${network}`;
  const script = `
    wget -q -O - http://${ALLOWED_NAME}/${mark}
    wget -q -O - http://${ALLOWED}/${mark}
    timed nc -w 5 ${REFUSED} 81
    nslookup ${mark}.${REFUSED_NAME} || true`;
  let said = '';
  const refused = await recorded(toRefused, () => {
    ({ said } = build(RUN, script, '--network', network));
  });
  const heard = (text: string) => guarded.heard.filter((line) => line.includes(text));
  await until(() => heard(`/${mark} `).length === 2, 'the servers to have heard of both');
  expect(said).toContain(`hello from ${ALLOWED_NAME}`);
  expect(said).toContain('not permitted');
  expect(Number(/code 1 in (\d+)/u.exec(said)?.[1])).toBeLessThan(100);
  expect(said).toContain('REFUSED');
  expect(refused).toMatchObject([
    { event_type: 'connection_blocked', origin: 'container', process: 'nc', dst_port: 81 },
  ]);
  const isQuestion = (event: AuditEvent) => event.dst_hostname === `${mark}.${REFUSED_NAME}`;
  const events = await guarded.events((all) => all.some(isQuestion));
  expect(events.find(isQuestion)).toMatchObject({ event_type: 'dns_blocked', origin: 'container' });
  expect(heard(`${mark}.${REFUSED_NAME}`)).toEqual([]);
  closed.push(`case 41, a RUN of BuildKit in ${what}`);
});

test('a RUN without a network reaches nothing, and the attempt is recorded', async () => {
  let said = '';
  const refused = await recorded(toRefused, () => {
    ({ said } = build(RUN, `timed nc -w 5 ${REFUSED} 82`, '--network', 'none'));
  });
  expect(said).toMatch(/code 1 in \d/u);
  expect(refused).toMatchObject([{ origin: 'container', process: 'nc', dst_port: 82 }]);
  closed.push('case 41, a RUN of BuildKit without a network');
});

test.each([
  ['ADD', `ADD http://${REFUSED}/a /a`],
  ['FROM', `COPY --from=${REFUSED}:5000/image / /x`],
])('what the builder fetches itself for %s is refused', async (instruction, lines) => {
  let done = build('RUN true');
  const refused = await recorded(toRefused, () => {
    done = build(lines);
  });
  expect(done.code).not.toBe(0);
  expect(done.said).toContain('operation not permitted');
  expect(refused[0]).toMatchObject({ origin: 'system', process: 'dockerd' });
  closed.push(`case 34, what BuildKit fetches for ${instruction}`);
});

test('what the builder fetches itself is had from an allowed host', () => {
  const { code, said } = build(`ADD http://${ALLOWED_NAME}/added /added\nRUN cat /added`);
  expect([code, said]).toEqual([0, expect.stringContaining(`hello from ${ALLOWED_NAME}`)]);
});
