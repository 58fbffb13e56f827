// Builds by BuildKit, dockerd's own (threats.md 41): a RUN is judged like any other container, in each
// network, and so is what the builder fetches itself.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { until } from '../lab/lab.ts';
import { ALLOWED, ALLOWED_NAME, POLICY, Quay, REFUSED, REFUSED_NAME } from './quay.ts';

const quay = new Quay('buildkit');
const { docker, guarded } = quay;
const closed: string[] = [];

beforeAll(async () => {
  await quay.open();
  await guarded.guard(POLICY);
}, 90_000);
afterAll(() => {
  quay.close();
  process.stdout.write(closed.map((one) => `${one}: closed\n`).join(''));
});

/** Builds these lines on the image, and gives what the build printed; each build is a new one. */
function build(lines: string, ...options: string[]) {
  const context = docker.context({ Dockerfile: `FROM box\n${lines}\n` });
  const words = ['--progress', 'plain', '--no-cache', ...options, context];
  const done = docker.runWith(['DOCKER_BUILDKIT=1'], 'build', ...words);
  return { ...done, said: `${done.stdout}${done.stderr}` };
}

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
  const shell = (mark: string) =>
    [
      `wget -q -O - http://${ALLOWED_NAME}/${mark}`,
      `wget -q -O - http://${ALLOWED}/${mark}`,
      `read a b < /proc/uptime; nc -w 5 ${REFUSED} 81; echo code $?; read c b < /proc/uptime`,
      'a=${a%.*}${a#*.}; c=${c%.*}${c#*.}; echo took $((c - a))',
      `nslookup ${mark}.${REFUSED_NAME}`,
    ].join('; ');
  let said = '';
  const mark = `buildkit-${network}`;
  const refused = await recorded(toRefused, () => {
    ({ said } = build(`RUN ${shell(mark)}; echo end`, '--network', network));
  });
  expect(said).toContain(`hello from ${ALLOWED_NAME}`);
  await until(
    () => guarded.heard.filter((text) => text.includes(`/${mark} `)).length === 2,
    'the servers to have heard of both',
  );
  expect(said).toMatch(/not permitted/u);
  expect(said).toContain('code 1');
  expect(Number(/took (\d+)/u.exec(said.slice(said.indexOf('code 1')))?.[1])).toBeLessThan(100);
  expect(said).toContain('REFUSED');
  expect(refused).toMatchObject([
    { event_type: 'connection_blocked', origin: 'container', process: 'nc', dst_port: 81 },
  ]);
  const isQuestion = (event: AuditEvent) => event.dst_hostname === `${mark}.${REFUSED_NAME}`;
  const events = await guarded.events((all) => all.some(isQuestion));
  expect(events.find(isQuestion)).toMatchObject({ event_type: 'dns_blocked', origin: 'container' });
  expect(guarded.heard.filter((text) => text.includes(`${mark}.${REFUSED_NAME}`))).toEqual([]);
  closed.push(`case 41, a RUN of BuildKit in ${what}`);
});

test('a RUN without a network reaches nothing, and the attempt is recorded', async () => {
  let said = '';
  const refused = await recorded(toRefused, () => {
    ({ said } = build(`RUN nc -w 5 ${REFUSED} 82; echo code $?`, '--network', 'none'));
  });
  expect(said).toContain('code 1');
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

test('what the builder fetches itself is had from an allowed host', async () => {
  const { code, said } = build(`ADD http://${ALLOWED_NAME}/added /added\nRUN cat /added`);
  expect([code, said]).toEqual([0, expect.stringContaining(`hello from ${ALLOWED_NAME}`)]);
});
