// The job's user may seal, as post runs under the same: sealing without end neither fills the log nor keeps
// post from its own seal.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { Guarded } from '../lab/guarded.ts';
import { logOf } from '../lab/loader-processes.ts';

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('seals');
  await guarded.open();
});
afterEach(() => guarded.close());

/** Twelve clients that seal four times each; prints how many were sealed, and the seconds it took. */
const SEAL = `
import socket, threading, time
sealed = []
def client():
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect('/run/cargowall/control.sock')
    replies = s.makefile()
    for i in range(4):
        s.sendall(b'{"command":"seal"}\\n')
        if '"sealed":true' in replies.readline(): sealed.append(i)
since = time.monotonic()
threads = [threading.Thread(target=client) for i in range(12)]
for one in threads: one.start()
for one in threads: one.join()
print(len(sealed), time.monotonic() - since)`;

const ended = () =>
  decodeLog(logOf(guarded.lab)).records.filter((one) => one.event_type === 'session_ended');

test('seals without end are all answered by a few records, and post seals as before', async () => {
  await guarded.guard({ allow: 'registry.example.com:443' });
  for (let round = 0; round < 2; round++) {
    const [sealed, seconds] = guarded
      .run('/usr/bin/python3', '-c', SEAL)
      .stdout.split(' ')
      .map(Number);
    expect(sealed).toBe(48);
    expect(ended().length).toBeLessThanOrEqual((round + 1) * (9 + Math.ceil(seconds ?? 0)));
  }
  const before = ended().length;
  const post = `
import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"seal"}\\n'); print(s.makefile().readline())`;
  expect(guarded.run('/usr/bin/python3', '-c', post).stdout).toContain('"sealed":true');
  expect(ended().length).toBe(before + 1);
  expect(ended().at(-1)?.totals).toMatchObject({ seals: 97 });
});
