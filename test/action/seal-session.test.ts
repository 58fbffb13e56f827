import { describe, expect, test } from 'vitest';
import { type SealPorts, sealSession } from '../../src/action/seal-session.ts';
import type { SavedSession } from '../../src/action/session-files.ts';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { encodeRecord } from '../../src/core/audit/jsonl.ts';

const SAVED = {
  mode: 'enforce',
  pid: 7,
  enforcing: true,
  artifactName: 'log',
  retentionDays: '3',
  summary: true,
  failOnBlock: false,
  isLockedDown: false,
} as const;
const BASE = {
  timestamp: '2026-11-24T06:35:00.000000000Z',
  would_deny: false,
  blocked: false,
} as const;
const STARTED = encodeRecord({
  ...BASE,
  event_type: 'session_started',
  schema: 1,
  mode: 'enforce',
  default: 'deny',
  rules: 1,
  upstreams: [],
  clock_offset_ns: '1',
});

async function seal(changed: Partial<SealPorts>, saved: SavedSession = SAVED) {
  const errors: string[] = [];
  const failed: string[] = [];
  const warnings: string[] = [];
  const summaries: string[] = [];
  const uploads: unknown[] = [];
  const nothing = () => undefined;
  const log = {
    info: nothing,
    notice: nothing,
    group: nothing,
    warning: (text: string) => warnings.push(text),
    error: (text: string) => errors.push(text),
    fail: (text: string) => failed.push(text),
  };
  await sealSession(saved, {
    log,
    ask: () => Promise.resolve('{"sealed":true}'),
    readLog: () => STARTED,
    writeSummary: (text) => Promise.resolve(void summaries.push(text)),
    writeFiles: () => '/temp',
    upload: (...words) => Promise.resolve(uploads.push(words)),
    ...changed,
  });
  return { errors, failed, warnings, summaries, uploads };
}

test('a whole session is a summary and an artifact, and no failure', async () => {
  const done = await seal({});
  expect(done).toMatchObject({ errors: [], failed: [], warnings: [] });
  expect(done.summaries[0]).toContain('nothing was blocked');
  const files = ['/temp/audit.jsonl', '/temp/summary.md', '/temp/meta.json'];
  expect(done.uploads).toEqual([['log', files, '/temp', 3]]);
});

test('a daemon that is gone fails the step; the report is made of the log so far', async () => {
  const done = await seal({ ask: () => Promise.reject(new Error('connection refused')) });
  expect(done.errors[0]).toContain('the daemon did not answer (connection refused)');
  expect(done.failed).toHaveLength(1);
  expect(done.summaries).toHaveLength(1);
});

test('a log that is missing is never "nothing was blocked"', async () => {
  const readLog = () => {
    throw new Error('ENOENT');
  };
  const done = await seal({ readLog });
  expect(done.failed).toHaveLength(1);
  expect(done.summaries[0]).toContain('What this job connected to is not known');
});

test('a tamper record is an error and a failed step', async () => {
  const reason = 'an interface could not be covered\n::set-output';
  const tamper = encodeRecord({ ...BASE, event_type: 'tamper', reason });
  const done = await seal({ readLog: () => `${STARTED}${tamper}` });
  expect(done.errors).toHaveLength(1);
  expect(done.errors[0]).toContain('tamper: an interface could not be covered');
  expect(done.errors[0]).not.toContain('\n');
  expect(done.failed).toHaveLength(1);
});

test('an upload that fails warns and fails nothing', async () => {
  const done = await seal({ upload: () => Promise.reject(new Error('503')) });
  expect(done.warnings[0]).toContain('was not uploaded: 503');
  expect(done.failed).toEqual([]);
});

describe('fail-on-block', () => {
  const blocked = {
    ...BASE,
    event_type: 'connection_blocked',
    dst_ip: '198.51.100.20',
    dst_port: 443,
    protocol: 'TCP',
    process: 'curl',
    pid: 7,
    blocked: true,
    origin: 'job',
  } as const;
  const FAILING = { ...SAVED, failOnBlock: true };
  const sealed = (...records: readonly AuditEvent[]) =>
    seal({ readLog: () => STARTED + records.map(encodeRecord).join('') }, FAILING);

  test.each([
    ['a connection of the job', blocked],
    ['a connection of a container', { ...blocked, origin: 'container' }],
    ['a connection nobody is known for', { ...blocked, origin: 'unknown' }],
    ['a name', { ...blocked, event_type: 'dns_blocked', dst_hostname: 'evil.example.net' }],
    ['a flow closed at the start', { ...blocked, event_type: 'existing_connection' }],
  ] as const)('%s that was refused fails the step', async (_what, record) => {
    const { failed } = await sealed(record);
    expect(failed).toEqual([expect.stringContaining('refused 1 attempt')]);
  });

  test.each([
    ['expected', { ...blocked, expected: true }],
    ['of the runner', { ...blocked, origin: 'runner' }],
    ['of the system', { ...blocked, origin: 'system' }],
    ['only recorded (audit)', { ...blocked, blocked: false, would_deny: true }],
    ['allowed', { ...blocked, event_type: 'connection_allowed', blocked: false }],
  ] as const)('what is %s does not', async (_what, record) => {
    expect((await sealed(record)).failed).toEqual([]);
  });

  test('without it a refusal fails nothing', async () => {
    const done = await seal({ readLog: () => STARTED + encodeRecord(blocked) });
    expect(done.failed).toEqual([]);
  });
});
