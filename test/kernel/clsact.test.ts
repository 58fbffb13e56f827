// The wall where the kernel has no TCX links (before 6.6): a clsact filter that outlives the loader, is
// looked after like a link, and is gone when the session is. Played by a build of the loader that takes
// the kernel for one without.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { BPF, program } from '../lab/bpf.ts';
import { policy, rule } from '../lab/entries.ts';
import { eachLine, Lab, OTHER4, SERVER4, until } from '../lab/lab.ts';
import { loaderWithoutTcx, type Started, start } from '../lab/started.ts';

const lab = new Lab('clsact');
const loader = loaderWithoutTcx();
const session = {
  mode: MODE.ENFORCE,
  writes: [
    policy(VERDICT.DENY),
    rule({
      address: SERVER4,
      length: 32,
      proto: 17,
      port: 9,
      verdict: VERDICT.ALLOW,
      rule: 1,
    }),
  ],
};
const STANDS_AGAIN = 'the wall of the uplink up0 did not stand any more; it stands again';
const REFUSED = 'No buffer space available';
const FOREIGN = ['bpf', 'da', 'bytecode', '1,6 0 0 0,'];

const SERVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('${SERVER4}', 9)); print('ready', flush=True)
t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); t.bind(('${OTHER4}', 9))
import select
while True:
    for one in select.select([s, t], [], [])[0]: print('arrived', one.getsockname()[0], one.recv(99).decode(), flush=True)
`;

let started: Started;
const arrived: string[] = [];

/** A datagram as a whole frame, past every hook of the cgroup: only the wall is left. */
function frame(to: string, text = 'x'): string {
  const script = `
import socket, struct
mac = bytes.fromhex('${peerAddress()}'.replace(':', ''))
def sum16(b): s = sum(struct.unpack('!%dH' % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
body = b'${text}'
ip = bytearray(struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28 + len(body), 0, 0, 9, 17, 0, socket.inet_aton('192.0.2.2'), socket.inet_aton('${to}')))
ip[10:12] = struct.pack('!H', sum16(bytes(ip)))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
try: s.send(mac + bytes([2, 0, 0, 0, 0, 9]) + b'\\x08\\0' + bytes(ip) + struct.pack('!HHHH', 9, 9, 8 + len(body), 0) + body); print('sent')
except OSError as e: print(e.strerror)
`;
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}

function peerAddress(): string {
  const said = spawnSync('ip', ['-n', lab.net, '-o', 'link', 'show', 'up1'], { encoding: 'utf8' });
  return /link\/ether (\S+)/.exec(said.stdout)?.[1] ?? '';
}

/** Runs tc as root on the lab's machine; its errors. */
function tc(...words: string[]): string {
  return lab.run('tc', ...words).stderr;
}

function filters(name = 'up0'): string {
  return lab.run('tc', 'filter', 'show', 'dev', name, 'egress').stdout;
}

function qdiscs(): string {
  return lab.run('tc', 'qdisc', 'show', 'dev', 'up0').stdout;
}

function log(): string {
  return lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
}

function findings(): readonly string[] {
  return [...log().matchAll(/"kind":"tamper","what":"([^"]*)"/g)].map(([, what]) => what ?? '');
}

async function found(words: string, times = 1): Promise<void> {
  const since = Date.now();
  const count = () => findings().filter((one) => one.includes(words)).length;
  await until(() => count() >= times, `"${words}" for the time ${times} in ${findings()}`);
  expect(Date.now() - since).toBeLessThan(2000);
  expect(count()).toBe(times);
}

/** Ends processes of the loader's cgroup: the loader proper, or all of them. */
function killLoader(which: 'proper' | 'all'): void {
  const text = readFileSync(`${lab.cgroup}/cargowall.loader/cgroup.procs`, 'utf8');
  const pids = text.split('\n').filter(Boolean).map(Number);
  const parent = (pid: number) =>
    Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const proper = pids.filter((pid) => pids.includes(parent(pid)));
  for (const pid of which === 'proper' ? proper : [...pids].sort((a, b) => a - b)) {
    process.kill(pid, 'SIGKILL');
  }
}

beforeEach(async () => {
  arrived.length = 0;
  await lab.open();
  eachLine(await lab.serve(SERVER), (text) => arrived.push(text));
  started = await start(lab, session, loader);
});
afterEach(() => lab.close());

async function expectWall(): Promise<void> {
  expect(frame(OTHER4, 'refused')).toBe(REFUSED);
  expect(frame(SERVER4, 'allowed')).toBe('sent');
  await until(() => arrived.includes(`arrived ${SERVER4} allowed`), 'the allowed frame');
  expect(arrived).not.toContain(`arrived ${OTHER4} refused`);
}

test('the wall stands, is proved, and has its name, handle and priority', async () => {
  expect(started.green).toMatchObject({ wall: 0, pin: 0 });
  expect(filters()).toMatch(/pref 1 bpf chain 0 handle 0x1 cargowall direct-action/);
  expect(lab.run('ls', '/run/cargowall/bpf').stdout).not.toContain('link_tc_');
  await expectWall();
});

describe('within two seconds there is a record, and the wall stands again, when', () => {
  test('its filter is removed, each time', async () => {
    for (const times of [1, 2]) {
      expect(tc('filter', 'del', 'dev', 'up0', 'egress', 'pref', '1')).toBe('');
      await found(STANDS_AGAIN, times);
      await expectWall();
    }
    expect(findings()).toHaveLength(2);
  });

  test('its hook is removed', async () => {
    expect(tc('qdisc', 'del', 'dev', 'up0', 'clsact')).toBe('');
    await found(STANDS_AGAIN);
    await expectWall();
  });

  test('a filter of somebody else takes its place', async () => {
    const place = ['dev', 'up0', 'egress', 'pref', '1', 'handle', '1', 'protocol', 'all'];
    expect(tc('filter', 'replace', ...place, ...FOREIGN)).toBe('');
    await found(STANDS_AGAIN);
    expect(filters()).toContain('cargowall direct-action');
    await expectWall();
  });

  test('a filter of somebody else comes before it', async () => {
    // ours goes, theirs comes: of one priority the older is the first
    const script = `tc filter del dev up0 egress pref 1 && tc filter add dev up0 egress pref 1 handle 7 protocol all ${FOREIGN.map((word) => `'${word}'`).join(' ')}`;
    expect(lab.run('sh', '-c', script).stderr).toBe('');
    await found(STANDS_AGAIN);
    await expectWall();
  });

  test('the loader was restarted in between', async () => {
    killLoader('proper');
    await until(() => log().includes('restarted'), 'the restart');
    await expectWall();
    expect(findings()).toEqual([]);
    expect(tc('filter', 'del', 'dev', 'up0', 'egress', 'pref', '1')).toBe('');
    await found(STANDS_AGAIN);
    await expectWall();
  });
});

test('a program that comes before it as a link, where the kernel has them, is told', async () => {
  const script = `${BPF}${program(3, 0)}
bpf(8, struct.pack('<IIIIIIQ', socket.if_nametoindex('up0'), prog, 47, 8, 0, 0, 0))`;
  expect(lab.run('/usr/bin/python3', '-c', script).stderr).toBe('');
  await found('the programs of the uplink up0 have changed: 0 were there, 1 are');
});

test('a packet filter behind it is told', async () => {
  expect(tc('filter', 'add', 'dev', 'up0', 'egress', 'pref', '9', ...FOREIGN)).toBe('');
  await found('a packet filter of somebody else stands behind the uplink up0');
});

test('an uplink that comes later has the wall, and goes with it silently', async () => {
  const ip = (...words: string[]) => lab.run('ip', ...words).stderr;
  expect(ip('link', 'add', 'up9', 'type', 'veth', 'peer', 'name', 'up8')).toBe('');
  expect(ip('addr', 'add', '192.0.9.2/24', 'dev', 'up9')).toBe('');
  for (const name of ['up8', 'up9']) expect(ip('link', 'set', name, 'up')).toBe('');
  expect(ip('route', 'add', '203.0.113.0/24', 'via', '192.0.9.1')).toBe('');
  await until(() => filters('up9').includes('cargowall'), 'a wall for up9');
  expect(ip('link', 'del', 'up9')).toBe('');
  await until(
    () => lab.run('ls', '/run/cargowall/bpf').stdout.match(/filter_/g)?.length === 1,
    'its end',
  );
  // the next finding marks that the self-check has looked meanwhile
  expect(tc('filter', 'del', 'dev', 'up0', 'egress', 'pref', '1')).toBe('');
  await found(STANDS_AGAIN);
  expect(findings()).toHaveLength(1);
});

describe('the filter and its hook are gone', () => {
  const isGone = () => !filters().includes('cargowall') && !qdiscs().includes('clsact');

  test('when the worker has exited', async () => {
    started.worker.kill('SIGKILL');
    await until(isGone, 'no filter');
  });

  test('but stand while all of the loader is dead, until the next start knows them by name', async () => {
    killLoader('all');
    expect(frame(OTHER4, 'dead')).toBe(REFUSED);
    const again = await start(lab, session, loader);
    expect(filters().match(/handle 0x1 cargowall/g)).toHaveLength(1);
    await expectWall();
    again.worker.kill('SIGKILL');
    await until(isGone, 'no filter');
  });

  test('but what the machine has there of its own stays', async () => {
    const filter = ['dev', 'up0', 'ingress', 'pref', '5', ...FOREIGN];
    expect(tc('filter', 'add', ...filter)).toBe('');
    started.worker.kill('SIGKILL');
    await until(() => !filters().includes('cargowall'), 'no filter of ours');
    await until(() => !lab.exists('/run/cargowall'), 'the undoing');
    expect(lab.run('tc', 'filter', 'show', 'dev', 'up0', 'ingress').stdout).toContain('pref 5');
  });
});
