// Grants, the runner's own, audit mode, flows open before the flip, and another namespace.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DECIDED_BY, KIND, LAYER, MODE, SCOPE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { grant, policy, rule } from '../lab/entries.ts';
import { Lab, line, OTHER4, SERVER4, until } from '../lab/lab.ts';
import { apply, events, start } from '../lab/started.ts';

const lab = new Lab('grant');
const FAR_FUTURE = 1n << 62n;
const SERVER = `
import socket, threading
def serve(s):
    def echo(c):
        while True:
            d = c.recv(100)
            if not d: return
            c.sendall(d)
    while True:
        c, _ = s.accept(); threading.Thread(target=echo, args=(c,), daemon=True).start()
for a in ['${SERVER4}', '${OTHER4}']:
    for p in [443, 80]:
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((a, p)); s.listen(16)
        threading.Thread(target=serve, args=(s,), daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
`;
const CONNECT = (address: string, port: number) => `
import socket
s = socket.socket(); s.settimeout(2)
try: s.connect(('${address}', ${port})); print('connected', flush=True)
except OSError as e: print(type(e).__name__, flush=True)
`;

beforeEach(async () => {
  await lab.open();
  await lab.serve(SERVER);
});
afterEach(() => lab.close());

function connect(address: string, port: number): string {
  return lab.run('/usr/bin/python3', '-c', CONNECT(address, port)).stdout.trim();
}

test('a batch that fails leaves every entry as it was', async () => {
  const live = { address: SERVER4, proto: 6, port: 443, expiresNs: FAR_FUTURE };
  await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY), grant(live)] });
  expect(connect(SERVER4, 443)).toBe('connected');
  // rules take no write once the wall stands
  const late = { address: OTHER4, proto: 6, port: 443, length: 32, rule: 2 };
  apply(lab, [
    grant({ ...live, expiresNs: 1n }),
    grant({ ...live, port: 80 }),
    rule({ ...late, verdict: VERDICT.ALLOW }),
  ]);
  expect(connect(SERVER4, 443)).toBe('connected');
  expect(connect(SERVER4, 80)).toBe('PermissionError');
  expect(connect(OTHER4, 443)).toBe('PermissionError');
});

test('a live grant admits exactly its pairs; an expired one and a hole admit nothing', async () => {
  await start(lab, {
    mode: MODE.ENFORCE,
    writes: [
      policy(VERDICT.DENY),
      grant({ address: SERVER4, proto: 6, port: 443, expiresNs: FAR_FUTURE }),
      grant({ address: OTHER4, proto: 6, expiresNs: FAR_FUTURE }),
      grant({ address: OTHER4, proto: 6, port: 443, expiresNs: 0n }),
    ],
  });
  expect(connect(SERVER4, 443)).toBe('connected');
  expect(connect(SERVER4, 80)).toBe('PermissionError');
  expect(connect(OTHER4, 80)).toBe('connected');
  expect(connect(OTHER4, 443)).toBe('PermissionError');
});

test("a runner host's grant is the runner's alone, and no denial of the user's takes it away", async () => {
  const { worker } = await start(lab, {
    mode: MODE.ENFORCE,
    writes: [
      policy(VERDICT.DENY),
      rule({ address: SERVER4, length: 32, proto: 0, verdict: VERDICT.DENY, rule: 1 }),
      grant({
        address: SERVER4,
        proto: 6,
        port: 443,
        scope: SCOPE.RUNNER,
        kind: KIND.RUNNER,
        expiresNs: FAR_FUTURE,
      }),
    ],
  });
  expect(connect(SERVER4, 443)).toBe('PermissionError');
  const answer = line(worker, 'onnect');
  worker.stdin?.write(`exec(${JSON.stringify(CONNECT(SERVER4, 443))})\n`);
  expect(await answer).toBe('connected');
  // the job is what the worker starts, whatever it is called
  const child = line(worker, 'Permission');
  const script = JSON.stringify(CONNECT(SERVER4, 443));
  worker.stdin?.write(`import subprocess; subprocess.run(['/usr/bin/python3', '-c', ${script}])\n`);
  expect(await child).toBe('PermissionError');
});

test('audit lets everything pass and records every refusal-to-be once', async () => {
  await start(lab, { mode: MODE.AUDIT, writes: [policy(VERDICT.DENY)] });
  expect(connect(SERVER4, 443)).toBe('connected');
  await until(() => events(lab).some((one) => one.destination === SERVER4), 'the record');
  const records = events(lab).filter((one) => one.destination === SERVER4);
  expect(records).toMatchObject([{ allowed: false, layer: LAYER.CONNECT, comm: 'python3' }]);
});

test('a flow open before the flip goes on by default and ends by an explicit deny', async () => {
  const open = `
import socket, sys
s = []
for a in ['${SERVER4}', '${OTHER4}']:
    c = socket.socket(); c.settimeout(1); c.connect((a, 443)); s.append(c)
print('open', flush=True)
sys.stdin.readline()
for c in s:
    try: c.sendall(b'x'); print(c.recv(1).decode(), flush=True)
    except OSError as e: print(type(e).__name__, flush=True)
print('done', flush=True)
`;
  const job = lab.spawn(['/usr/bin/python3', '-u', '-c', open]);
  let text = '';
  job.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await line(job, 'open');
  await start(lab, {
    mode: MODE.ENFORCE,
    writes: [
      policy(VERDICT.DENY),
      rule({ address: OTHER4, length: 32, proto: 0, verdict: VERDICT.DENY, rule: 1 }),
    ],
  });
  const done = line(job, 'done');
  job.stdin?.write('\n');
  await done;
  expect(text.split('\n').slice(1, 3)).toEqual(['x', 'TimeoutError']);
  expect(connect(SERVER4, 443)).toBe('PermissionError');
});

test('another namespace is judged the same, at once and at the wall', async () => {
  await start(lab, {
    mode: MODE.ENFORCE,
    writes: [
      policy(VERDICT.DENY),
      rule({ address: SERVER4, length: 32, proto: 6, port: 443, verdict: VERDICT.ALLOW, rule: 1 }),
    ],
  });
  const boxed = (address: string) =>
    lab.runBoxed('/usr/bin/python3', '-c', CONNECT(address, 443)).stdout.trim();
  expect(boxed(SERVER4)).toBe('connected');
  expect(boxed(OTHER4)).toBe('PermissionError');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  expect(events(lab).find((one) => one.destination === OTHER4)?.by).toBe(DECIDED_BY.DEFAULT);
});
