// A process of the job holds every connection to the proxy over TCP that it can have: the runner, and other
// processes of the job, are served over TCP all the same, and what was refused is counted.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { line } from '../lab/lab.ts';

const NAME = 'registry.example.com';

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('streams');
  await guarded.open();
});
afterEach(() => guarded.close());

/** Asks over TCP; prints the answer's code or the exception. */
const ASK = `
import socket, struct
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6)
for l in '${NAME}'.split('.'): q += bytes([len(l)]) + l.encode()
q += b'\\0\\0\\1\\0\\1'
try:
    s = socket.create_connection(('192.0.2.53', 53), 8); s.sendall(struct.pack('!H', len(q)) + q)
    print('answer: rcode', s.recv(512)[5] & 15, flush=True)
except (OSError, IndexError) as e: print('answer:', type(e).__name__, flush=True)`;

/** Opens connections, and again each that was ended, for as long as it lives. */
const HOLD = `
import select, socket
def opened():
    s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.53', 53)); return s
held = [opened() for i in range(400)]
ended = 0
while True:
    for s in select.select(held, [], [])[0]:
        s.close(); held.remove(s); held.append(opened()); ended += 1
        if ended == 400: print('full', flush=True)`;

function lost(): Record<string, number> {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"status"}\\n'); print(s.makefile().readline())`;
  const { stdout } = guarded.run('/usr/bin/python3', '-c', script);
  return (JSON.parse(stdout) as { lost: Record<string, number> }).lost;
}

test('one process of the job takes all it can get: runner and others ask over TCP', async () => {
  await guarded.guard({ allow: `${NAME}:443` });
  const { lab, worker } = guarded;
  const holder = lab.spawn(['/usr/bin/python3', '-u', '-c', HOLD]);
  await line(holder, 'full');
  expect(guarded.run('/usr/bin/python3', '-c', ASK).stdout.trim()).toBe('answer: rcode 0');
  const answered = worker && line(worker, 'answer: ');
  worker?.stdin?.write(`exec(${JSON.stringify(ASK)})\n`);
  expect(await answered).toBe('answer: rcode 0');
  expect(lost()['dns_streams_refused']).toBeGreaterThanOrEqual(336);
});
