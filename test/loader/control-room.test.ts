// The job's user holds every place of the control socket (threats.md 124): root and post are answered all the same.
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { line } from '../lab/lab.ts';

const MAIN = 1001;
const SEAL_MS = 5000;
const told = new Told();
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('room');
  await guarded.open();
  await guarded.guard({ allow: 'registry.example.com:443' }, { '--uid': String(MAIN) });
});
afterEach(() => guarded.close());
afterAll(() => told.print());

const AS_MAIN = ['setpriv', `--reuid=${MAIN}`, `--regid=${MAIN}`, '--clear-groups'] as const;

/** Ways of holding places; each is a loop that never ends. */
const HOLDERS = {
  'silent ones': `
for i in range(200):
    connect()
wait()`,
  'half a request each': `
for i in range(200):
    try: connect().sendall(b'{"command":')
    except OSError: pass
wait()`,
  'new ones without end': `
while True: connect()`,
  'new ones without end, of many processes': `
for i in range(5): os.fork()
while True: connect()`,
  'seals without end': `
for i in range(4): os.fork()
while True:
    try: s = connect(); s.sendall(b'{"command":"seal"}\\n' * 20)
    except OSError: pass`,
  'requests whose answers nobody reads': `
for i in range(16): connect()
wait_for = list(held)
while True:
    for s in wait_for:
        s.setblocking(False)
        try: s.sendall(b'{"command":"status"}\\n' * 20)
        except OSError: pass
    time.sleep(0.01)`,
};
const HOLD = `
import collections, os, socket, sys, time
held = collections.deque(maxlen=300)
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock'); held.append(s); return s
def wait():
    while True: time.sleep(600)
for i in range(16): connect()
print('ready', flush=True)`;

/** What asks as post does, with its deadline. */
function asking(command: string): readonly string[] {
  const module = resolve('src/edge/host/control-socket.ts');
  const source = `
import { askControl } from '${module}';
console.log(await askControl('/run/cargowall/control.sock', { command: '${command}' }, ${SEAL_MS}));`;
  return [process.execPath, '--input-type=module', '-e', source];
}

/** The answer to post: a child of the worker's, of the job's user. */
async function askAsPost(command: string): Promise<string> {
  const { worker } = guarded;
  if (worker === undefined) throw new Error('the session is not started');
  const words = JSON.stringify(asking(command));
  const said = line(worker, 'said ');
  worker.stdin?.write(
    `import subprocess; done = subprocess.run(${words}, user=${MAIN}, group=${MAIN}, extra_groups=[], capture_output=True, text=True); print('said', (done.stdout + done.stderr).replace(chr(10), ' '), flush=True)\n`,
  );
  return said;
}

test.each(Object.entries(HOLDERS))(
  '%s of the job’s: root and post are answered',
  async (what, script) => {
    const holder = guarded.lab.spawn(
      [...AS_MAIN, '/usr/bin/python3', '-c', HOLD + script],
      guarded.lab.cgroup,
    );
    await line(holder, 'ready');
    for (let round = 0; round < 3; round++) {
      expect(guarded.run(...asking('status')).stdout).toContain('"running":true');
      expect(await askAsPost('seal')).toContain('"sealed":true');
    }
    expect(holder.exitCode).toBeNull();
    told.closed(124, `places of the control socket, ${what}`);
  },
  60_000,
);
