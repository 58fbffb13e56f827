import { expect, test } from 'vitest';
import type { Log } from '../../src/action/ports.ts';
import { prepareSession } from '../../src/action/prepare-session.ts';
import { startSession } from '../../src/action/start-session.ts';

const PREPARED = prepareSession({
  texts: new Map(),
  mode: 'enforce',
  debug: false,
  document: undefined,
  resolvers: {
    config: {
      upstreams: [{ address: '192.0.2.53', port: 53 }],
      resolvers: ['192.0.2.53'],
      localNames: [],
    },
  },
  actionsUrls: [],
  serverUrl: 'https://github.com',
  nonce: 'n',
  job: { repository: '', workflow: '', job: '', runId: '', runAttempt: '' },
});
const PROOF = { refused: 'n.invalid', granted: 'n.cargowall.internal', ipv6: false };
const GREEN = { stage: 'green', pid: 41, auditLog: '/run/x.jsonl' };

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield await Promise.resolve(line);
}

async function start(lines: readonly unknown[], code: number, errorText = '') {
  if (PREPARED.kind !== 'session') throw new Error('the session of this test is wrong');
  const written: string[] = [];
  const said: string[] = [];
  const say = (text: string) => said.push(text);
  const log: Log = {
    info: say,
    notice: say,
    warning: say,
    error: say,
    fail: say,
    group: (_title, texts) => said.push(...texts),
  };
  const loader = {
    lines: each(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))),
    write: (line: string) => written.push(line),
    end: () => written.push('(end)'),
    ended: Promise.resolve({ code, errorText }),
  };
  const attempts = {
    connect: () => Promise.resolve('connected'),
    send: () => Promise.resolve('EPERM'),
    ask: () => Promise.resolve(undefined),
  };
  const result = await startSession(PREPARED.session, loader, attempts, log);
  return { result, written, said };
}

test('green is what the loader says and ends well', async () => {
  const { result, written } = await start([GREEN], 0);
  expect(result).toEqual({ kind: 'green', pid: 41, auditLog: '/run/x.jsonl' });
  expect(JSON.parse(written[0] ?? '')).toMatchObject({ mode: 'enforce', nonce: 'n' });
});

test('what the kernel has taken is said before anything else of the start', async () => {
  const attached = { stage: 'attached', hooks: '10 of the cgroup', wall: 'eth0 by TCX' };
  for (const [families, what] of [
    ['refused', 'refused'],
    ['told', 'told, not refused (limits L1 and L2)'],
  ]) {
    const stages = [{ ...attached, families }, { stage: 'flipped', proof: PROOF }, GREEN];
    const { said } = await start(stages, 0);
    expect(said.slice(0, 3)).toEqual([
      'hooks: 10 of the cgroup',
      `packet, XDP and vsock sockets of the job: ${what}`,
      'wall: eth0 by TCX',
    ]);
  }
});

test('what the job could reach is reported to the daemon as no proof', async () => {
  const { written, said } = await start([{ stage: 'flipped', proof: PROOF }, GREEN], 0);
  const line: unknown = JSON.parse(written[1] ?? '');
  expect(line).toMatchObject({ proof: 'failed' });
  expect(said).toContain('connect to 203.0.113.252: connected, expected EPERM');
});

test.each([
  ['the end of the loader without a green line', ['not json', '7', 'null'], 0],
  ['a green line without its path', [{ stage: 'green', pid: 41 }], 0],
  ['a green line of a loader that failed', [GREEN], 6],
])('%s is a failed start, and nobody knows what is left', async (_name, lines, code) => {
  const { result } = await start(lines, code);
  expect(result).toMatchObject({ kind: 'failed', remains: 'unknown', unsupported: false });
});

test.each([1, 2, 4, 5])('exit code %i comes before any change', async (code) => {
  const { result } = await start([], code, 'sudo: a password is required');
  expect(result).toMatchObject({
    kind: 'failed',
    message: 'sudo: a password is required',
    remains: 'none',
  });
});

test('a start the loader has undone leaves nothing', async () => {
  const error = { code: 'unsupported', message: 'no TCX', remedy: 'use Linux 6.6' };
  const { result } = await start([{ error }, { stage: 'undone' }], 3);
  expect(result).toEqual({
    kind: 'failed',
    message: 'no TCX. use Linux 6.6',
    remains: 'none',
    unsupported: true,
  });
});

test('a start that is not undone fails, whatever on-unsupported says', async () => {
  const error = { code: 'unsupported', message: 'no TCX', remedy: 'use Linux 6.6' };
  const { result } = await start([{ error }], 3);
  expect(result).toMatchObject({ kind: 'failed', remains: 'unknown', unsupported: false });
});

test('a loader that ends without a word is named by its code', async () => {
  const { result } = await start([], 6);
  expect(result).toMatchObject({ message: 'the loader ended with code 6 and no word' });
});
