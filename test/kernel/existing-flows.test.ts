// Flows open before the start (spec 7): which go on, which are closed, and what is recorded.
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { eachLine, line } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';

const ALLOWED = '198.51.100.10';
const DENIED = '198.51.100.20';
const NEITHER = '198.51.100.11';
const ORDER = [ALLOWED, DENIED, NEITHER];
const OPEN = `
import socket, sys
flows = []
for a in ['${ALLOWED}', '${DENIED}', '${NEITHER}']:
    c = socket.socket(); c.settimeout(2); c.connect((a, 80)); flows.append((a, c))
print('open', flush=True)
sys.stdin.readline()
for a, c in flows:
    try:
        c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        print(a + (' goes on' if c.recv(4) == b'HTTP' else ' ended'), flush=True)
    except OSError as e: print(a + ' ' + type(e).__name__, flush=True)
print('done', flush=True)
`;
const CLOSED = 'ConnectionAbortedError';
const POLICY: SessionWishes = { allow: 'registry.example.com:80', block: DENIED };

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('exist');
  await guarded.open();
});
afterEach(() => guarded.close());

interface Flows {
  readonly child: ChildProcess;
  readonly lines: string[];
}

async function open(words: readonly string[], cgroup?: string): Promise<Flows> {
  const child = guarded.lab.spawn([...words, '/usr/bin/python3', '-u', '-c', OPEN], cgroup);
  const lines: string[] = [];
  eachLine(child, (text) => lines.push(text));
  await line(child, 'open');
  return { child, lines };
}

/** Lets a process use its flows; what became of each. */
async function use({ child, lines }: Flows): Promise<readonly string[]> {
  const done = line(child, 'done');
  child.stdin?.write('\n');
  await done;
  return lines.filter((text) => text.includes(' '));
}

async function recorded(origin: string) {
  const events = await guarded.events();
  return events
    .filter((event) => event.event_type === 'existing_connection' && event.origin === origin)
    .sort((one, other) => ORDER.indexOf(one.dst_ip ?? '') - ORDER.indexOf(other.dst_ip ?? ''))
    .map(({ dst_ip, blocked, would_deny, matched_rule }) => ({
      dst_ip,
      blocked,
      would_deny,
      matched_rule: matched_rule ?? '',
    }));
}

const record = (dst_ip: string, changed: object = {}) => ({
  dst_ip,
  blocked: false,
  would_deny: false,
  matched_rule: '',
  ...changed,
});
const byRule = { matched_rule: DENIED };
const byName = { matched_rule: 'registry.example.com' };

describe('allow-existing-connections: true', () => {
  test('what a rule denies is closed, all else goes on', async () => {
    const job = await open([]);
    await guarded.guard(POLICY);
    expect(await use(job)).toEqual([
      `${ALLOWED} goes on`,
      `${DENIED} ${CLOSED}`,
      `${NEITHER} goes on`,
    ]);
    expect(await recorded('system')).toEqual([
      record(ALLOWED, byName),
      record(DENIED, { ...byRule, blocked: true }),
      record(NEITHER),
    ]);
  });

  test('flows of another network namespace are judged the same', async () => {
    const box = await open(['nsenter', `--net=/run/cw-netns/${guarded.lab.box}`]);
    await guarded.guard(POLICY);
    expect(await use(box)).toEqual([
      `${ALLOWED} goes on`,
      `${DENIED} ${CLOSED}`,
      `${NEITHER} goes on`,
    ]);
    expect(await recorded('container')).toEqual([
      record(ALLOWED, byName),
      record(DENIED, { ...byRule, blocked: true }),
      record(NEITHER),
    ]);
  });

  test("the runner's own go on, denied or not", async () => {
    const runner = await open([], guarded.lab.work);
    await guarded.guard(POLICY);
    expect(await use(runner)).toEqual([
      `${ALLOWED} goes on`,
      `${DENIED} goes on`,
      `${NEITHER} goes on`,
    ]);
    const flags = (await recorded('runner')).map(({ blocked }) => blocked);
    expect(flags).toEqual([false, false, false]);
  });
});

describe('allow-existing-connections: false', () => {
  test('only what a rule allows goes on', async () => {
    const job = await open([]);
    const box = await open(['nsenter', `--net=/run/cw-netns/${guarded.lab.box}`]);
    await guarded.guard({ ...POLICY, allowExisting: false });
    const expected = [`${ALLOWED} goes on`, `${DENIED} ${CLOSED}`, `${NEITHER} ${CLOSED}`];
    expect(await use(job)).toEqual(expected);
    expect(await use(box)).toEqual(expected);
    expect(await recorded('system')).toEqual([
      record(ALLOWED, byName),
      record(DENIED, { ...byRule, blocked: true }),
      record(NEITHER, { blocked: true }),
    ]);
  });

  test("the runner's own go on", async () => {
    const runner = await open([], guarded.lab.work);
    await guarded.guard({ ...POLICY, allowExisting: false });
    expect(await use(runner)).toEqual([
      `${ALLOWED} goes on`,
      `${DENIED} goes on`,
      `${NEITHER} goes on`,
    ]);
  });
});

test('mode audit closes nothing, and records what enforce would close', async () => {
  const job = await open([]);
  await guarded.guard({ ...POLICY, mode: 'audit', allowExisting: false });
  expect(await use(job)).toEqual([`${ALLOWED} goes on`, `${DENIED} goes on`, `${NEITHER} goes on`]);
  expect(await recorded('system')).toEqual([
    record(ALLOWED, byName),
    record(DENIED, { ...byRule, would_deny: true }),
    record(NEITHER, { would_deny: true }),
  ]);
});
