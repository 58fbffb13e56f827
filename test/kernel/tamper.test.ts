// Somebody with root changes what stands (spec 10): a record within two seconds, and what can be put
// right is put right. The wall goes on refusing in each case.
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { program } from '../lab/bpf.ts';
import type { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';
import { daemonOf } from '../lab/loader-processes.ts';
import { Tampering } from '../lab/tampering.ts';

let tampering: Tampering;
let guarded: Guarded;
beforeEach(async () => {
  tampering = new Tampering('tamper');
  guarded = tampering.guarded;
  await tampering.open();
});
afterEach(() => tampering.close());
const cases = new Told();
afterAll(() => cases.print());

const UPLINK = `next('/run/cargowall/bpf/' + n for n in os.listdir('/run/cargowall/bpf') if n.startswith('link_tc_'))`;

describe('within two seconds there is a record, and it is put right, when', () => {
  test('a program of the cgroup is detached, each time', async () => {
    for (const times of [1, 2]) {
      expect(tampering.asRoot(`detach('/run/cargowall/bpf/link_egress_connect4')`)).toBe('');
      // without it the packet hook drops, and nobody is told: the call hangs
      await tampering.foundAgain(
        'egress_connect4 was not attached any more; it is attached again',
        times,
      );
      expect(tampering.refused()).toBe('PermissionError');
      expect(guarded.run('test', '-e', '/run/cargowall/bpf/link_egress_connect4').code).toBe(0);
    }
    expect(tampering.findings()).toHaveLength(2);
    cases.closed(110, 'a program of the cgroup is detached, which is told and mended');
  });

  test('another program is put into a link of ours', async () => {
    const said = tampering.asRoot(`${program(8, 1)}
link = get('/run/cargowall/bpf/link_egress_skb')
bpf(29, struct.pack('<IIII', link, prog, 0, 0))`);
    expect(said).toBe('');
    await tampering.foundSoon('egress_skb was not attached any more; it is attached again');
    expect(tampering.refused()).toBe('PermissionError');
    expect(tampering.findings()).toHaveLength(1);
    cases.closed(110, 'another program in a link, which is told and mended');
  });

  test('the wall of an uplink is detached, each time', async () => {
    expect(tampering.frame()).toBe('No buffer space available');
    for (const times of [1, 2]) {
      expect(tampering.asRoot(`detach(${UPLINK})`)).toBe('');
      await tampering.foundAgain(
        'the wall of the uplink up0 did not stand any more; it stands again',
        times,
      );
      expect(tampering.frame()).toBe('No buffer space available');
    }
    expect(tampering.refused()).toBe('PermissionError');
    cases.closed(110, 'the wall of an uplink is detached, which is told and mended');
  });

  test('the wall is detached and word of the network comes at once', async () => {
    const said = tampering.asRoot(`detach(${UPLINK})
import subprocess
subprocess.run(['ip', 'route', 'add', '203.0.113.0/24', 'via', '192.0.2.1'], check=True)`);
    expect(said).toBe('');
    await tampering.foundSoon('the wall of the uplink up0 did not stand any more; it stands again');
    expect(tampering.frame()).toBe('No buffer space available');
  });

  test('another program comes before the wall', async () => {
    const said = tampering.asRoot(`${program(3, 0)}
up0 = socket.if_nametoindex('up0')
bpf(8, struct.pack('<IIIIIIQ', up0, prog, 47, 8, 0, 0, 0))`);
    expect(said).toBe('');
    await tampering.foundSoon('the wall of the uplink up0 did not stand any more; it stands again');
    await tampering.foundSoon('the programs of the uplink up0 have changed: 1 were there, 2 are');
    expect(tampering.frame()).toBe('No buffer space available');
  });

  test('a pin is removed, each time', async () => {
    for (const times of [1, 2]) {
      tampering.asRoot(`os.unlink('/run/cargowall/bpf/link_egress_skb')`);
      await tampering.foundAgain(
        'the pin of the program egress_skb was gone; it is there again',
        times,
      );
      expect(guarded.run('test', '-e', '/run/cargowall/bpf/link_egress_skb').code).toBe(0);
    }
    // and of what nobody touched, nothing
    expect(tampering.findings()).toHaveLength(2);
    expect(tampering.refused()).toBe('PermissionError');
  });

  test('the pin of a map is removed', async () => {
    tampering.asRoot(`os.unlink('/run/cargowall/bpf/map_grants')`);
    await tampering.foundSoon('the pin map_grants was gone; it is there again');
    expect(tampering.findings()).toHaveLength(1);
    cases.closed(110, 'pins are removed, which is told and mended');
  });
});

test('what went while the loader was away is told, and the wall is put right', async () => {
  const said = tampering.asRoot(`
pids = open('${guarded.lab.cgroup}/cargowall.loader/cgroup.procs').read().split()
parent = lambda pid: [l.split()[1] for l in open(f'/proc/{pid}/status') if l.startswith('PPid')][0]
proper = [pid for pid in pids if parent(pid) in pids]
keeper, loader = int(parent(proper[0])), int(proper[0])
for pid in [keeper, loader]: os.kill(pid, 19) # a keeper that goes on starts a new loader at once
os.unlink('/run/cargowall/bpf/link_egress_connect4')
os.unlink(${UPLINK})
os.kill(loader, 9); os.kill(keeper, 18)`);
  expect(said).toBe('');
  await until(() => tampering.findings().length >= 2, 'two findings');
  expect(tampering.findings().toSorted()).toEqual([
    'the program egress_connect4 has ended with its pin while the loader was away, and could not be put right',
    'the uplink up0 had no wall when the loader came back; it has one again',
  ]);
  expect(tampering.frame()).toBe('No buffer space available');
  // without its call hook a refused connection is dropped at the packet
  expect(tampering.refused()).toBe('TimeoutError');
});

test('what is found while the daemon ends is told by the next one', async () => {
  // the pin is back as soon as its end is found, and the daemon gone before it hears of that
  const said = tampering.asRoot(`
pin = '/run/cargowall/bpf/link_egress_skb'
os.unlink(pin)
while not os.path.exists(pin): pass
os.kill(${daemonOf(guarded.lab)}, 9)`);
  expect(said).toBe('');
  await tampering.foundSoon('the pin of the program egress_skb was gone; it is there again');
  cases.closed(110, 'the daemon is killed as a finding is told');
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
  tampering.asRoot(`os.unlink('/run/cargowall/bpf/link_egress_skb')`);
  await tampering.foundSoon('the pin of the program egress_skb was gone');
  expect(tampering.findings()).toHaveLength(1);
});

test('a flood of findings is bounded and counted, and hides none of another kind', async () => {
  const open = `
import os, socket, sys
for i in range(60):
    if os.fork() == 0: kept = socket.socket(17, 3, 3); os.write(1, b'.'); sys.stdin.read(); os._exit(0)
sys.stdin.read()`;
  const job = guarded.lab.spawn(['/usr/bin/python3', '-c', open]);
  const told = () =>
    tampering.findings().filter((reason) => reason.includes('packet socket')).length;
  const counted = () =>
    tampering
      .findings()
      .map((reason) => /^(\d+) further findings came too fast/.exec(reason)?.[1] ?? '0')
      .reduce((sum, count) => sum + Number(count), 0);
  await until(() => told() + counted() === 60, 'every process is told or counted');
  expect(told()).toBeLessThan(40);
  expect(tampering.asRoot(`detach('/run/cargowall/bpf/link_egress_connect4')`)).toBe('');
  await tampering.foundSoon('egress_connect4 was not attached any more; it is attached again');
  job.stdin?.end();
});

describe('within two seconds there is a record when', () => {
  test('another program comes to a hook of ours', async () => {
    const said = tampering.asRoot(`${program(8, 1)}
cgroup = os.open('${guarded.lab.cgroup}', os.O_RDONLY)
bpf(8, struct.pack('<IIII', cgroup, prog, 1, 2))`);
    expect(said).toBe('');
    await tampering.foundSoon('the programs of the guarded cgroup');
    expect(tampering.refused()).toBe('PermissionError');
  });

  test('a guarded process opens a packet socket, which can pass the wall', async () => {
    const open =
      'import socket, sys; s = socket.socket(17, 3, 3); print("open", flush=True); sys.stdin.read()';
    const job = guarded.lab.spawn(['/usr/bin/python3', '-c', open]);
    await line(job, 'open');
    await tampering.foundSoon(
      'has opened a packet socket: its frames can pass the wall (limit L1)',
    );
  });

  test('a packet filter comes behind the wall', async () => {
    const tc = (...words: string[]) => guarded.run('tc', ...words).stderr;
    expect(tc('qdisc', 'add', 'dev', 'up0', 'clsact')).toBe('');
    const filter = ['bpf', 'bytecode', '1,6 0 0 0,'];
    expect(tc('filter', 'add', 'dev', 'up0', 'egress', ...filter)).toBe('');
    await tampering.foundSoon('a packet filter of somebody else stands behind the uplink up0');
    // and what takes every filter of an interface away takes none of the wall's
    expect(tc('qdisc', 'del', 'dev', 'up0', 'clsact')).toBe('');
    guarded.run('iptables', '-F');
    expect(tampering.frame()).toBe('No buffer space available');
    expect(tampering.refused()).toBe('PermissionError');
    cases.closed(110, 'filters and rules of the machine are made and flushed');
  });
});
