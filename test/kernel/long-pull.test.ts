// A flow lives longer than the grant that let it in (spec 5): a container that pulls for seconds
// through a grant of one.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { jobConnect } from '../lab/started.ts';

const MIRROR = '198.51.100.11';
const PIECES = 20;
const SLOW = `
import socket, threading, time
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('${MIRROR}', 9000)); l.listen(8); print('ready', flush=True)
def give(c):
    for n in range(${PIECES}):
        c.sendall(b'x' * 1000); c.recv(1); time.sleep(0.2)
    c.close()
while True: threading.Thread(target=give, args=(l.accept()[0],), daemon=True).start()
`;
/** Pulls to the end, answering each piece, so that packets of its own leave all the time. */
const PULL = `
import socket, time
s = socket.create_connection(('mirror.example.com', 9000), 3); t = time.time(); n = 0
while True:
    d = s.recv(1000, socket.MSG_WAITALL)
    if not d: break
    n += len(d); s.sendall(b'.')
print(n, time.time() - t > 3)
try: socket.create_connection(('${MIRROR}', 9000), 2); print('connected')
except OSError as e: print(type(e).__name__)
`;

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('pull');
  await guarded.open();
  await guarded.lab.serve(SLOW);
  const times = { grantFloorMs: 1000, grantCapMs: 1000 };
  await guarded.guard({ allow: 'mirror.example.com:9000/tcp', times });
});
afterEach(() => guarded.close());

test.each([
  ['a process of the job', (words: string[]) => guarded.run(...words)],
  ['a container', (words: string[]) => guarded.lab.runBoxed(...words)],
])('%s goes on pulling when its grant has ended, and makes no new connection', (_who, pull) => {
  const { stdout, stderr } = pull(['/usr/bin/python3', '-c', PULL]);
  expect([stdout.trim().split('\n'), stderr]).toEqual([
    [`${PIECES * 1000} True`, 'PermissionError'],
    '',
  ]);
  expect(jobConnect(guarded.lab, MIRROR)).toBe('PermissionError');
});
