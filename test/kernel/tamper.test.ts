// Somebody with root changes what stands (spec 10): a record within two seconds, and what can be put
// right is put right. The wall goes on refusing in each case.
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { BPF, program } from '../lab/bpf.ts';
import { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';
import { jobConnect } from '../lab/started.ts';

const REFUSED = '198.51.100.20';
const LOG = '/run/cargowall/records/audit.jsonl';
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('tamper');
  await guarded.open();
  await guarded.guard({ allow: 'registry.example.com:443' });
});
afterEach(() => guarded.close());
const cases = new Told();
afterAll(() => cases.print());

function asRoot(script: string): string {
  const { stdout, stderr, code } = guarded.run('/usr/bin/python3', '-c', `${BPF}${script}`);
  return code === 0 ? stdout.trim() : stderr.trim();
}

function findings(): readonly string[] {
  const text = guarded.run('grep', '"tamper"', LOG).stdout;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).reason);
}

async function foundSoon(words: string): Promise<void> {
  const since = Date.now();
  await until(() => findings().some((reason) => reason.includes(words)), `"${words}"`);
  expect(Date.now() - since).toBeLessThan(2000);
}

const UPLINK = `next('/run/cargowall/bpf/' + n for n in os.listdir('/run/cargowall/bpf') if n.startswith('link_tc_'))`;

/** How a TCP connect of the job to a refused address ends: its errno, so that the hook is told apart. */
function refused(): string {
  return jobConnect(guarded.lab, REFUSED);
}

/** Takes the cgroup's packet hook away, so that only the wall is left, and sends a frame as root. */
const FRAME = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 29, 0, 0, 9, 17, 0, bytes([192,0,2,2]), bytes([198,51,100,20]))
frame = bytes(6 * [255]) + bytes(6 * [2]) + b'\\x08\\0' + ip + struct.pack('!HHHH', 9, 9, 9, 0) + b'x'
try: s.send(frame); print('sent')
except OSError as e: print(e.strerror)
`;

/** What a raw frame to a refused address comes to. */
function frame(): string {
  return guarded.run('/usr/bin/python3', '-c', FRAME).stdout.trim();
}

/** Waits for a finding that was not there, with all its words, within two seconds. */
async function foundAgain(words: string, times: number): Promise<void> {
  const since = Date.now();
  const count = () => findings().filter((reason) => reason.includes(words)).length;
  await until(() => count() >= times, `"${words}" for the time ${times}`);
  expect(Date.now() - since).toBeLessThan(2000);
  expect(count()).toBe(times);
}

describe('within two seconds there is a record, and it is put right, when', () => {
  test('a program of the cgroup is detached, each time', async () => {
    for (const times of [1, 2]) {
      expect(asRoot(`detach('/run/cargowall/bpf/link_egress_connect4')`)).toBe('');
      // without it the packet hook drops, and nobody is told: the call hangs
      await foundAgain('egress_connect4 was not attached any more; it is attached again', times);
      expect(refused()).toBe('PermissionError');
      expect(guarded.run('test', '-e', '/run/cargowall/bpf/link_egress_connect4').code).toBe(0);
    }
    expect(findings()).toHaveLength(2);
    cases.closed(110, 'a program of the cgroup is detached, which is told and mended');
  });

  test('another program is put into a link of ours', async () => {
    const said = asRoot(`${program(8, 1)}
link = get('/run/cargowall/bpf/link_egress_skb')
bpf(29, struct.pack('<IIII', link, prog, 0, 0))`);
    expect(said).toBe('');
    await foundSoon('egress_skb was not attached any more; it is attached again');
    expect(refused()).toBe('PermissionError');
    expect(findings()).toHaveLength(1);
    cases.closed(110, 'another program in a link, which is told and mended');
  });

  test('the wall of an uplink is detached, each time', async () => {
    expect(frame()).toBe('No buffer space available');
    for (const times of [1, 2]) {
      expect(asRoot(`detach(${UPLINK})`)).toBe('');
      await foundAgain('the wall of the uplink up0 did not stand any more; it stands again', times);
      expect(frame()).toBe('No buffer space available');
    }
    expect(refused()).toBe('PermissionError');
    cases.closed(110, 'the wall of an uplink is detached, which is told and mended');
  });

  test('the wall is detached and word of the network comes at once', async () => {
    const said = asRoot(`detach(${UPLINK})
import subprocess
subprocess.run(['ip', 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.1'], check=True)`);
    expect(said).toBe('');
    await foundSoon('the wall of the uplink up0 did not stand any more; it stands again');
    expect(frame()).toBe('No buffer space available');
  });

  test('another program comes before the wall', async () => {
    const said = asRoot(`${program(3, 0)}
up0 = socket.if_nametoindex('up0')
bpf(8, struct.pack('<IIIIIIQ', up0, prog, 47, 8, 0, 0, 0))`);
    expect(said).toBe('');
    await foundSoon('the wall of the uplink up0 did not stand any more; it stands again');
    await foundSoon('the programs of the uplink up0 have changed: 1 were there, 2 are');
    expect(frame()).toBe('No buffer space available');
  });

  test('a pin is removed, each time', async () => {
    for (const times of [1, 2]) {
      asRoot(`os.unlink('/run/cargowall/bpf/link_egress_skb')`);
      await foundAgain('the pin of the program egress_skb was gone; it is there again', times);
      expect(guarded.run('test', '-e', '/run/cargowall/bpf/link_egress_skb').code).toBe(0);
    }
    // and of what nobody touched, nothing
    expect(findings()).toHaveLength(2);
    expect(refused()).toBe('PermissionError');
  });

  test('the pin of a map is removed', async () => {
    asRoot(`os.unlink('/run/cargowall/bpf/map_grants')`);
    await foundSoon('the pin map_grants was gone; it is there again');
    expect(findings()).toHaveLength(1);
    cases.closed(110, 'pins are removed, which is told and mended');
  });
});

test('what went while the loader was away is told, and the wall is put right', async () => {
  const said = asRoot(`
pids = open('${guarded.lab.cgroup}/cargowall.loader/cgroup.procs').read().split()
parent = lambda pid: [l.split()[1] for l in open(f'/proc/{pid}/status') if l.startswith('PPid')][0]
proper = [pid for pid in pids if parent(pid) in pids]
keeper, loader = int(parent(proper[0])), int(proper[0])
for pid in [keeper, loader]: os.kill(pid, 19) # a keeper that goes on starts a new loader at once
os.unlink('/run/cargowall/bpf/link_egress_connect4')
os.unlink(${UPLINK})
os.kill(loader, 9); os.kill(keeper, 18)`);
  expect(said).toBe('');
  await until(() => findings().length >= 2, 'two findings');
  expect(findings().toSorted()).toEqual([
    'the program egress_connect4 has ended with its pin while the loader was away, and could not be put right',
    'the uplink up0 had no wall when the loader came back; it has one again',
  ]);
  expect(frame()).toBe('No buffer space available');
  // without its call hook a refused connection is dropped at the packet
  expect(refused()).toBe('TimeoutError');
});

test('an uplink that goes, goes with its wall: nothing is found', async () => {
  const ip = (...words: string[]) => guarded.run('ip', ...words).stderr;
  const pins = () => guarded.run('ls', '/run/cargowall/bpf').stdout.match(/link_tc_/g)?.length;
  expect(pins()).toBe(1);
  expect(ip('link', 'add', 'up9', 'type', 'veth', 'peer', 'name', 'up8')).toBe('');
  expect(ip('addr', 'add', '192.0.9.2/24', 'dev', 'up9')).toBe('');
  for (const name of ['up8', 'up9']) expect(ip('link', 'set', name, 'up')).toBe('');
  expect(ip('route', 'add', '203.0.113.0/24', 'via', '192.0.9.1')).toBe('');
  await until(() => pins() === 2, 'a wall for up9');
  expect(ip('link', 'del', 'up9')).toBe('');
  await until(() => pins() === 1, 'its end');
  // a look of the self-check later still nothing: this finding marks that it has looked
  asRoot(`os.unlink('/run/cargowall/bpf/link_egress_skb')`);
  await foundSoon('the pin of the program egress_skb was gone');
  expect(findings()).toHaveLength(1);
});

test('a flood of findings is bounded and counted, and hides none of another kind', async () => {
  const open = `
import os, socket, sys
for i in range(60):
    if os.fork() == 0: kept = socket.socket(17, 3, 3); os.write(1, b'.'); sys.stdin.read(); os._exit(0)
sys.stdin.read()`;
  const job = guarded.lab.spawn(['/usr/bin/python3', '-c', open]);
  const told = () => findings().filter((reason) => reason.includes('packet socket')).length;
  const counted = () =>
    findings()
      .map((reason) => /^(\d+) further findings came too fast/.exec(reason)?.[1] ?? '0')
      .reduce((sum, count) => sum + Number(count), 0);
  await until(() => told() + counted() === 60, 'every process is told or counted');
  expect(told()).toBeLessThan(40);
  expect(asRoot(`detach('/run/cargowall/bpf/link_egress_connect4')`)).toBe('');
  await foundSoon('egress_connect4 was not attached any more; it is attached again');
  job.stdin?.end();
});

describe('within two seconds there is a record when', () => {
  test('another program comes to a hook of ours', async () => {
    const said = asRoot(`${program(8, 1)}
cgroup = os.open('${guarded.lab.cgroup}', os.O_RDONLY)
bpf(8, struct.pack('<IIII', cgroup, prog, 1, 2))`);
    expect(said).toBe('');
    await foundSoon('the programs of the guarded cgroup');
    expect(refused()).toBe('PermissionError');
  });

  test('a guarded process opens a packet socket, which can pass the wall', async () => {
    const open =
      'import socket, sys; s = socket.socket(17, 3, 3); print("open", flush=True); sys.stdin.read()';
    const job = guarded.lab.spawn(['/usr/bin/python3', '-c', open]);
    await line(job, 'open');
    await foundSoon('has opened a packet socket: its frames can pass the wall (limit L1)');
  });

  test('a packet filter comes behind the wall', async () => {
    const tc = (...words: string[]) => guarded.run('tc', ...words).stderr;
    expect(tc('qdisc', 'add', 'dev', 'up0', 'clsact')).toBe('');
    const filter = ['bpf', 'bytecode', '1,6 0 0 0,'];
    expect(tc('filter', 'add', 'dev', 'up0', 'egress', ...filter)).toBe('');
    await foundSoon('a packet filter of somebody else stands behind the uplink up0');
    // and what takes every filter of an interface away takes none of the wall's
    expect(tc('qdisc', 'del', 'dev', 'up0', 'clsact')).toBe('');
    guarded.run('iptables', '-F');
    expect(frame()).toBe('No buffer space available');
    expect(refused()).toBe('PermissionError');
    cases.closed(110, 'filters and rules of the machine are made and flushed');
  });
});

describe('what opens the wall and has to be written all the time', () => {
  /** A grant of everyone's for the refused address, on 443/tcp, as long as the machine runs. */
  const GRANT = `
fd = get('/run/cargowall/bpf/map_grants')
key = struct.pack('<IBBH', 0, 0, 6, 443) + bytes(10) + b'\\xff\\xff' + bytes([198, 51, 100, 20])
update(fd, key, struct.pack('<QII', (1 << 64) - 1, 1, 1))`;

  test('a grant of root’s is told, each time', async () => {
    for (const times of [1, 2]) {
      expect(asRoot(GRANT.replace('443', String(442 + times)))).toBe('');
      await foundAgain('somebody else has written grants', times);
    }
    cases.closed(110, 'root writes a grant, which is told');
  });

  test('grants of answers are not', async () => {
    for (const name of ['registry.example.com', 'www.registry.example.com']) {
      guarded.run('getent', 'ahosts', name);
    }
    expect(asRoot(GRANT)).toBe('');
    await foundAgain('somebody else has written grants', 1);
    expect(findings()).toHaveLength(1);
  });

  test('a local prefix of root’s is taken out again', async () => {
    const said = asRoot(`
fd = get('/run/cargowall/bpf/map_locals')
update(fd, struct.pack('<I', 96) + bytes(10) + b'\\xff\\xff' + bytes(4), struct.pack('<II', 96, 0))`);
    expect(said).toBe('');
    await foundSoon('somebody else has written a local prefix; it is taken out again');
    expect(refused()).toBe('PermissionError');
    expect(findings()).toHaveLength(1);
    cases.closed(110, 'root writes a local prefix, which is told and mended');
  });
});

describe('nobody, root included, writes', () => {
  test.each([
    ['the mode', 'config', `key = bytes(4); value = bytearray(lookup(fd, key, 120)); value[4] = 1`],
    [
      'the policy',
      'policy',
      `key = bytes(4); value = bytearray(lookup(fd, key, 40)); value[4] = 1`,
    ],
    [
      'a rule',
      'rules',
      `key = struct.pack('<IIBBH', 64, 0, 0, 6, 443) + bytes(16); value = struct.pack('<IBBH', 1, 1, 0, 0)`,
    ],
  ])('%s', (what, map, change) => {
    const said = asRoot(`fd = get('/run/cargowall/bpf/map_${map}')
${change}
update(fd, bytes(key), bytes(value))`);
    expect(said).toContain('Operation not permitted');
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
    cases.closed('110, 111', `root writes ${what}`);
  });
});
