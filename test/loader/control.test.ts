// The control socket (threats.md 117, 124): root and the user that started it may ask how it stands and
// seal, nobody ends anything by it, and what else is asked is refused and recorded.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { tell } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { until } from '../lab/lab.ts';
import { logOf } from '../lab/loader-processes.ts';
import { jobConnect } from '../lab/started.ts';

const OTHER = '198.51.100.20';
const MAIN = 1001;
const cases: string[] = [];
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('control');
  await guarded.open();
  await guarded.guard({ allow: 'registry.example.com:443' }, { '--uid': String(MAIN) });
});
afterEach(() => guarded.close());
afterAll(() => {
  tell(cases.map((one) => `case ${one}: closed`));
});

/** What a user gets for each line sent over a connection of its own. */
function send(uid: number, lines: readonly string[]): string[] {
  const script = `
import json, socket, sys
for text in json.loads(sys.argv[1]):
    s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/cargowall/control.sock')
    try: s.sendall(text.encode() + b'\\n')
    except OSError: pass
    try: print(s.makefile().readline().strip() or 'closed')
    except OSError as e: print(type(e).__name__)`;
  const words = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const done = guarded.run(...words, '/usr/bin/python3', '-c', script, JSON.stringify(lines));
  return done.stdout.trim().split('\n');
}

const REQUESTS = ['status', 'seal', 'stop', 'flip', 'apply'].map((command) =>
  JSON.stringify({ command }),
);

test("another user's requests are all refused", () => {
  for (const uid of [1002, 65534]) {
    const answers = send(uid, [...REQUESTS, 'x', '']);
    expect(answers).toHaveLength(7);
    for (const answer of answers) {
      expect(answer).toMatch(/only root and the user that started|closed|ConnectionResetError/);
    }
    expect(answers.join()).toContain('only root');
  }
  expect(logOf(guarded.lab)).not.toContain('session_ended');
  cases.push("124, another user's requests");
});

test('main may ask how it stands and seal; whatever else is refused and recorded, once a process', async () => {
  expect(JSON.parse(send(MAIN, [REQUESTS[0] ?? ''])[0] ?? '')).toMatchObject({ running: true });
  const strange = [
    '{"command":"stop"}',
    '{"command":"audit"}',
    '{"mode":"audit"}',
    '{"command":["seal"],"x":1}',
    'stop',
    '[]',
    'null',
    '{',
    '\\u0000',
    'a'.repeat(4000),
  ];
  for (const answer of send(MAIN, strange)) {
    expect(answer).toContain('unknown request');
  }
  const told = () =>
    logOf(guarded.lab)
      .split('\n')
      .filter((one) => one.includes('"event_type":"tamper"'));
  await until(() => told().length === 1, 'the record');
  expect(told()[0]).toMatch(
    /"process \d+ of user 1001 sent the control socket what is no status or seal"/,
  );
  expect(send(MAIN, ['a'.repeat(5000)])[0]).toMatch(/^(closed|ConnectionResetError)$/);
  expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
  cases.push('124, requests there are none of');
});

test('a seal ends nothing, and each is in the log', async () => {
  for (let round = 1; round <= 2; round++) {
    const [answer = ''] = send(MAIN, [REQUESTS[1] ?? '']);
    expect(JSON.parse(answer)).toMatchObject({ sealed: true, mode: 'enforce' });
    expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
    expect(guarded.run('getent', 'ahostsv4', 'registry.example.com').code).toBe(0);
    await until(
      () => logOf(guarded.lab).split('"event_type":"session_ended"').length === round + 1,
      'the record of the seal',
    );
  }
  const blocked = (
    await guarded.events((all) => all.filter((one) => one.blocked).length === 2)
  ).filter((one) => one.blocked);
  expect(blocked).toHaveLength(2);
  cases.push('117, a seal in the middle of the job');
});

test('the socket can not be replaced by the job, nor by what it listens on elsewhere', () => {
  const script = `
import os, socket
for act in [lambda: os.unlink('/run/cargowall/control.sock'), lambda: os.rename('/run/cargowall/control.sock', '/run/cargowall/x'),
            lambda: socket.socket(socket.AF_UNIX).bind('/run/cargowall/control.sock2'),
            lambda: os.chmod('/run/cargowall/control.sock', 0o600), lambda: os.mkdir('/run/cargowall/x')]:
    try: act(); print('done')
    except OSError as e: print(type(e).__name__)`;
  const words = ['setpriv', `--reuid=${MAIN}`, `--regid=${MAIN}`, '--clear-groups'];
  const done = guarded.run(...words, '/usr/bin/python3', '-c', script);
  expect(done.stdout.trim().split('\n')).toEqual(Array(5).fill('PermissionError'));
  cases.push('113, a socket in the place of ours');
});
