// Connections from outside: the machine's own services answer them, the job and containers don't (case 18).
import { type ChildProcess, execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DECIDED_BY, LAYER, MODE, ORIGIN, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { isDocumented } from '../bypass/told.ts';
import { type Event, policy, rule } from '../lab/entries.ts';
import { cgroupMount, Lab, line, OTHER4, SERVER4, until } from '../lab/lab.ts';
import { events, loaderArguments, settings, start, startWorker } from '../lab/started.ts';

const OUTSIDE = cgroupMount();
const PEER = '192.0.2.1';
const HERE = '192.0.2.2';
const HERE6 = '2001:db8::2';
const NOT_TOLD = 'TimeoutError';
const DENIED = /^(TimeoutError|PermissionError)$/;

/** A process that answers each connection with its bytes, and runs the lines of Python it is sent. */
const SERVICE = (port: number, before = '') => `
import ctypes, os, socket, sys, threading
held = []
def quiet(port):
    s = socket.socket(socket.AF_INET6); s.setsockopt(1, 2, 1); s.bind(('::', port)); s.listen(16); return s
def listen(port):
    s = quiet(port)
    threading.Thread(target=serve, args=(s,), daemon=True).start()
    return s
def echo(c):
    held.append(c)
    try:
        while data := c.recv(65536): c.sendall(data)
        c.close()
    except OSError: pass
def serve(s):
    try:
        while True: threading.Thread(target=echo, args=(s.accept()[0],), daemon=True).start()
    except OSError: pass
def again(host, port):
    c = held[-1]
    ctypes.CDLL(None).connect(c.fileno(), bytes(16), 16)
    c.settimeout(1); c.connect(('::ffff:' + host, port))
def give():
    with socket.socket(socket.AF_UNIX) as u: u.connect('\\0take'); socket.send_fds(u, [b'x'], [s.fileno()])
def said(f):
    try: f(); return 'done'
    except OSError as e: return type(e).__name__
s = listen(${port})
${before}
print('ready', flush=True)
for l in sys.stdin: exec(l)
`;

/** The job's end of a gift: a listener, on which it answers. */
const TAKE = `
import socket
u = socket.socket(socket.AF_UNIX); u.bind('\\0take'); u.listen(); print('ready', flush=True)
s = socket.socket(fileno=socket.recv_fds(u.accept()[0], 1, 1)[1][0]); print('taken', flush=True)
s.accept()[0].sendall(b'taken')
`;

let lab: Lab;

async function serve(cgroup: string, port: number, before = '', ...words: string[]) {
  const command = [...words, '/usr/bin/python3', '-u', '-c', SERVICE(port, before)];
  const child = lab.spawn(command, cgroup);
  await line(child, 'ready');
  return child;
}

/** Has a service do something; what came of it. */
async function order(service: ChildProcess, python: string): Promise<string> {
  const answer = line(service, 'answer ');
  service.stdin?.write(`print('answer', ${python}, flush=True)\n`);
  return (await answer).replace('answer ', '');
}

/** What somebody outside hears, who runs this; `s` is a socket of the family. */
function outside(script: string, family = 2): string {
  const whole = `
import socket, struct, sys
s = socket.socket(${family}); s.settimeout(1.5); s.setsockopt(1, 2, 1)
def all(n):
    b = b''
    while len(b) < n: b += s.recv(65536)
    return b
try:
    ${script.trim().replaceAll('\n', '\n    ')}
except OSError as e: print(type(e).__name__)
`;
  const words = ['netns', 'exec', lab.net, '/usr/bin/python3', '-c', whole];
  return execFileSync('ip', words, { encoding: 'utf8', timeout: 20_000 }).trim();
}

const greet = (address: string, port: number) => `
s.connect(('${address}', ${port})); s.sendall(b'hello'); print(all(5).decode())`;

const since = (before: number): Event[] => events(lab).slice(before);

async function refusal(before: number, port: number): Promise<Event | undefined> {
  const isIt = (one: Event) => !one.allowed && one.sourcePort === port;
  await until(() => since(before).some(isIt), 'the record of a refusal');
  return since(before).find(isIt);
}

describe('case 18, a service older than the wall, outside the guarded cgroup', () => {
  let service: ChildProcess;
  let other: ChildProcess;
  let giver: ChildProcess;
  let before = 0;
  beforeAll(async () => {
    lab = new Lab('inbound');
    await lab.open();
    service = await serve(OUTSIDE, 22);
    other = await serve(OUTSIDE, 2200);
    giver = await serve(OUTSIDE, 2202, 's = quiet(2201)');
    await serve(lab.job, 8022);
    const enter = (cgroup: string) => `open('${cgroup}/cgroup.procs', 'w').write('0')`;
    await serve(OUTSIDE, 8023, enter(lab.job));
    await serve(lab.job, 8024, enter(OUTSIDE));
    await serve(OUTSIDE, 8025, '', 'unshare', '--pid', '--cgroup', '--fork');
    const share = `if not os.fork(): ${enter(lab.job)}; import time; time.sleep(300)`;
    await serve(OUTSIDE, 8026, share);
    await start(lab, {
      mode: MODE.ENFORCE,
      writes: [
        policy(VERDICT.DENY),
        rule({ address: OTHER4, length: 32, proto: 0, verdict: VERDICT.DENY, rule: 3 }),
      ],
    });
  }, 60_000);
  beforeEach(() => {
    before = events(lab).length;
  });
  afterAll(() => lab.close());

  test.each([
    ['IPv4', HERE, 2, PEER],
    ['IPv6', HERE6, 10, '20010db8000000000000000000000001'],
  ])('answers over %s, with one record', async (_family, address, family, peer) => {
    expect(outside(greet(address, 22), family)).toBe('hello');
    const records = () => since(before).filter((one) => one.destination === peer);
    await until(() => records().length > 0, 'the record');
    expect(records()).toMatchObject([
      {
        allowed: true,
        proto: 6,
        sourcePort: 22,
        by: DECIDED_BY.INBOUND,
        layer: LAYER.TC,
        origin: ORIGIN.SYSTEM,
        pid: 0,
      },
    ]);
  });

  test('sends much, and ends in order', () => {
    const script = `
import threading
s.connect(('${HERE}', 22))
t = threading.Thread(target=lambda: (s.sendall(b'x' * 3000000), s.shutdown(1))); t.start()
n = len(all(3000000)); t.join(); print(n, s.recv(9))`;
    expect(outside(script)).toBe(`3000000 b''`);
  });

  test('answers two connections of the same ports, a record each', async () => {
    const script = `
for i in range(2):
    s = socket.socket(); s.settimeout(1.5); s.setsockopt(1, 13, struct.pack('ii', 1, 0)); s.setsockopt(1, 2, 1)
    s.bind(('${PEER}', 4022)); s.connect(('${HERE}', 22)); s.sendall(b'hello'); print(all(5).decode()); s.close()`;
    expect(outside(script)).toBe('hello\nhello');
    const records = () => since(before).filter((one) => one.port === 4022);
    await until(() => records().length >= 2, 'the records');
    expect(records().map(({ by }) => by)).toEqual([DECIDED_BY.INBOUND, DECIDED_BY.INBOUND]);
  });

  test('does not answer whom a rule denies', async () => {
    expect(outside(`s.bind(('${OTHER4}', 0))${greet(HERE, 22)}`)).toBe(NOT_TOLD);
    expect(await refusal(before, 22)).toMatchObject({ by: DECIDED_BY.RULE, destination: OTHER4 });
  });

  test.each([
    ['of the job', 8022],
    ['made outside and held by the job', 8023],
    ['made by the job and held outside', 8024],
    ["of a container with the machine's network", 8025],
    ['the job holds too', 8026],
  ])('a listener %s does not answer', async (_what, port) => {
    expect(outside(greet(HERE, port))).toBe(NOT_TOLD);
    expect(await refusal(before, port)).toMatchObject({
      by: DECIDED_BY.DEFAULT,
      destination: PEER,
    });
    expect(outside(greet(HERE6, port), 10)).toBe(NOT_TOLD);
  });

  test('a listener younger than the wall does not answer', async () => {
    expect(await order(service, 'said(lambda: listen(2222))')).toBe('done');
    expect(outside(greet(HERE, 2222))).toBe(NOT_TOLD);
  });

  test('answers over a link whose neighbours are not known yet', () => {
    for (const family of ['-4', '-6']) {
      execFileSync('ip', ['-n', lab.runner, family, 'neigh', 'flush', 'dev', 'up0']);
    }
    expect(outside(`s.settimeout(5)${greet(HERE, 22)}`)).toBe('hello');
    expect(outside(`s.settimeout(5)${greet(HERE6, 22)}`, 10)).toBe('hello');
  });

  test('connects to nobody', async () => {
    const away = `said(lambda: socket.create_connection(('${PEER}', 4023), 1))`;
    expect(await order(service, away)).toMatch(DENIED);
    const records = () => since(before).filter((one) => one.port === 4023);
    await until(() => records().length > 0, 'the record');
    expect(records()).toMatchObject([{ allowed: false, by: DECIDED_BY.DEFAULT }]);
  });

  test('connects by an accepted socket to nobody, not even to who has just been answered', async () => {
    const peer = await lab.serve(`
import socket, struct
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('${PEER}', 4024)); s.connect(('${HERE}', 22))
s.sendall(b'hello'); s.recv(5); s.setsockopt(1, 13, struct.pack('ii', 1, 0)); s.close()
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('${PEER}', 4024)); s.listen(); s.settimeout(4)
print('ready', flush=True)
try: s.accept(); print('heard one', flush=True)
except OSError: print('heard nobody', flush=True)`);
    const heard = line(peer, 'heard');
    expect(await order(service, `said(lambda: again('${PEER}', 4024))`)).toMatch(DENIED);
    expect(await heard).toBe('heard nobody');
  });

  test('connects by its listener to nobody', async () => {
    const away = `said(lambda: (s.shutdown(2), s.settimeout(1), s.connect(('::ffff:${PEER}', 4025))))`;
    expect(await order(other, away)).toMatch(DENIED);
  });

  test('opens nothing from both sides at once', async () => {
    const open = (from: string, to: string) =>
      `(lambda c: (c.setsockopt(1, 2, 1), c.bind(${from}), c.settimeout(3), c.connect(${to})))(socket.socket())`;
    const here = order(service, `said(lambda: ${open(`('${HERE}', 4026)`, `('${PEER}', 4027)`)})`);
    await until(() => since(before).some((one) => one.port === 4027), 'the SYN is refused');
    expect(outside(open(`('${PEER}', 4027)`, `('${HERE}', 4026)`))).toBe(NOT_TOLD);
    expect(await here).toMatch(DENIED);
    expect(since(before).some((one) => one.allowed && one.port === 4027)).toBe(false);
  });

  test('answers nobody in whose name the job has asked (N)', async () => {
    const ask = `
import socket, struct
def rest(b):
    n = sum(struct.unpack(f'>{len(b) // 2}H', b)); n = (n >> 16) + (n & 0xffff); return ~(n + (n >> 16)) & 0xffff
pair = socket.inet_aton('${SERVER4}') + socket.inet_aton('${HERE}')
tcp = struct.pack('>HHIIBBHHH', 4028, 22, 0x41424344, 0, 0x50, 2, 1024, 0, 0)
tcp = tcp[:16] + struct.pack('>H', rest(pair + struct.pack('>HH', 6, 20) + tcp)) + tcp[18:]
ip = struct.pack('>BBHHHBBH', 0x45, 0, 40, 0, 0, 64, 6, 0) + pair
print(socket.socket(2, 3, 255).sendto(ip + tcp, ('${HERE}', 0)))`;
    expect(lab.run('/usr/bin/python3', '-c', ask).stdout.trim()).toBe('40');
    expect(await refusal(before, 22)).toMatchObject({ destination: SERVER4, port: 4028 });
  });

  test('the job sends nothing under the ports of an open connection (N), which goes on', async () => {
    const peer = await lab.serve(`
import socket, sys, time
s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('${PEER}', 4029)); s.connect(('${HERE}', 22)); s.settimeout(3)
for i in range(3): s.sendall(b'hello'); s.recv(5)
print('ready', flush=True)
r = socket.socket(2, 3, 6); r.settimeout(0.2); end = time.time() + 3; heard = b''
while time.time() < end:
    try: heard += r.recv(2000)
    except OSError: pass
s.sendall(b'again'); print('heard', b'stolen' in heard, s.recv(5), flush=True)`);
    const heard = line(peer, 'heard');
    const send = (open: string, head: string) => `
import socket, struct
pair = socket.inet_aton('${HERE}') + socket.inet_aton('${PEER}')
tcp = struct.pack('>HHIIBBHHH', 22, 4029, 1, 1, 0x50, 24, 1024, 0, 0) + b'stolen'
ip = struct.pack('>BBHHHBBH', 0x45, 0, 46, 0, 0, 64, 6, 0) + pair
try: ${open}.send(${head}ip + tcp); print('sent')
except OSError as e: print(e.errno)`;
    const raw = `(lambda r: (r.connect(('${PEER}', 0)), r)[1])(socket.socket(2, 3, 255))`;
    expect(lab.run('/usr/bin/python3', '-c', send(raw, '')).stdout.trim()).toBe('1');
    const frame = `(lambda r: (r.bind(('up0', 0)), r)[1])(socket.socket(17, 3))`;
    const head = `b'\\xff' * 6 + b'\\x02' * 6 + b'\\x08\\0' + `;
    expect(lab.run('/usr/bin/python3', '-c', send(frame, head)).stdout.trim()).toMatch(/^(1|105)$/);
    expect(await heard).toBe(`heard False b'again'`);
  });

  test('a listener that a service gives to the job answers (limit L15)', async () => {
    const take = lab.spawn(['/usr/bin/python3', '-u', '-c', TAKE]);
    await line(take, 'ready');
    const taken = line(take, 'taken');
    expect(await order(giver, `said(lambda: give())`)).toBe('done');
    await taken;
    expect(outside(greet(HERE, 2201))).toBe('taken');
    expect(isDocumented('L15')).toBe(true);
  });
});

test("case 18, a listener of the job's user does not answer, wherever its process is", async () => {
  lab = new Lab('inuser');
  try {
    await lab.open();
    const job = ['setpriv', '--reuid', '1001', '--clear-groups'];
    await serve(OUTSIDE, 2203, '', ...job);
    await serve(OUTSIDE, 2204, 'os.setresuid(1001, 0, 0)');
    await serve(OUTSIDE, 2205, '', 'setpriv', '--reuid', '1002', '--clear-groups');
    const worker = await startWorker(lab);
    const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0, { '--uid': '1001' }));
    loader.stdin?.write(settings({ mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] }));
    await line(loader, '"green"');
    expect(outside(greet(HERE, 2203))).toBe(NOT_TOLD);
    expect(outside(greet(HERE, 2204))).toBe(NOT_TOLD);
    expect(outside(greet(HERE, 2205))).toBe('hello');
  } finally {
    lab.close();
  }
}, 60_000);
