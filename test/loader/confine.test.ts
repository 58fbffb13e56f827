// The daemon's confinement (bpf/loader/confine.c, calls.c), from inside by a probe that stands in its
// place and tries, and from outside as the job's user.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { policy } from '../lab/entries.ts';
import { Lab, until } from '../lab/lab.ts';
import { loaderArguments, settings, start, startWorker } from '../lab/started.ts';

const LOG = '/run/cargowall/records/audit.jsonl';
const PROBE = resolve('build/confine-probe');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };

function daemonPid(lab: Lab): number {
  const pid = readFileSync(`${lab.cgroup}/cargowall.daemon/cgroup.procs`, 'utf8').trim();
  return Number(pid);
}

describe('from inside', () => {
  const lab = new Lab('confine');
  let said: ReadonlyMap<string, string>;

  beforeAll(async () => {
    const words = ['-O2', '-static', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror'];
    execFileSync('gcc', [...words, '-o', PROBE, 'test/loader/confine_probe.c', '-lpthread']);
    await lab.open();
    const worker = await startWorker(lab);
    const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0, { '--node': PROBE }));
    loader.stdin?.write(settings(closed));
    const log = () => lab.run('cat', LOG).stdout;
    await until(() => log().includes('end ok'), 'the probe has tried everything');
    const pairs = log()
      .trim()
      .split('\n')
      .map((one) => [one.slice(0, one.lastIndexOf(' ')), one.slice(one.lastIndexOf(' ') + 1)]);
    said = new Map(pairs as [string, string][]);
  });
  afterAll(() => lab.close());

  /** The results of the tries whose names begin so. */
  function results(prefix: string): Record<string, string> {
    const found = [...said].filter(([name]) => name.startsWith(prefix));
    expect(found.length).toBeGreaterThan(0);
    return Object.fromEntries(found);
  }

  test('what it needs is there', () => {
    const needed = ['read:log by path', 'socket:udp4', 'socket:tcp6', 'thread'];
    expect(needed.map((name) => said.get(name))).toEqual(needed.map(() => 'ok'));
  });

  test("no file of the machine's, the job's or the loader's is in sight", () => {
    expect(new Set(Object.values(results('open:')))).toEqual(new Set(['ENOENT']));
  });

  test('nothing can be made or written but the log by its descriptor', () => {
    const found = results('create:');
    for (const [name, result] of Object.entries(found)) {
      expect([name, result]).toEqual([name, 'EROFS']);
    }
    expect(said.get('write:log by path')).toBe('EACCES'); // root's, before it is read-only
    for (const name of ['truncate:log', 'flags:log', 'mount', 'chroot', 'mkdir', 'unlink', 'chmod'])
      expect([name, said.get(name)]).toEqual([name, 'EPERM']);
  });

  test.each([
    ['execve', 'EPERM'],
    ['execveat by path', 'EPERM'],
    ['execveat by number', 'EBADF'],
    ['that number again', 'EBADF'],
    ['a higher limit', 'EPERM'],
  ])('no second program: %s', (name, result) => {
    expect(said.get(name)).toBe(result);
  });

  test.each([
    ['fork', 'EPERM'],
    ['clone3', 'ENOSYS'],
    ['clone newuser', 'EPERM'],
    ['unshare', 'EPERM'],
    ['setns', 'EPERM'],
    ['kill', 'EPERM'],
    ['tgkill', 'EPERM'],
    ['pidfd_open', 'ENOSYS'],
    ['ptrace', 'EPERM'],
    ['process_vm_readv', 'EPERM'],
    ['process_vm_writev', 'EPERM'],
    ['a dump', 'EPERM'],
    ['no death with the parent', 'EPERM'],
    ['prlimit of another', 'EPERM'],
  ])('no other process: %s', (name, result) => {
    expect(said.get(name)).toBe(result);
  });

  test.each([
    ['bpf', 'EPERM'],
    ['perf_event_open', 'EPERM'],
    ['keyctl', 'EPERM'],
    ['add_key', 'EPERM'],
    ['userfaultfd', 'EPERM'],
    ['io_uring_setup', 'ENOSYS'],
    ['kexec_load', 'EPERM'],
    ['init_module', 'EPERM'],
    ['finit_module', 'EPERM'],
    ['memfd_create', 'EPERM'],
    ['seccomp', 'EPERM'],
    ['setuid', 'EPERM'],
    ['clock_settime', 'EPERM'],
  ])('nothing of the kernel: %s', (name, result) => {
    expect(said.get(name)).toBe(result);
  });

  test.each([
    'socket:packet',
    'socket:raw',
    'socket:ping',
    'socket:mptcp',
    'socket:unix',
    'socket:netlink',
    'socket:vsock',
    'socket:alg',
    'socket:xdp',
    'mark',
  ])('no other %s', (name) => {
    expect(said.get(name)).toBe('EPERM');
  });

  test("a call by another architecture's number is the end, and the start is undone", async () => {
    process.kill(daemonPid(lab), 'SIGUSR1');
    await until(() => !lab.exists('/run/cargowall'), 'the start is undone');
  });
});

describe('from outside', () => {
  const lab = new Lab('outside');
  let pid: number;

  beforeEach(async () => {
    await lab.open();
    pid = (await start(lab, closed)).green.pid;
  });
  afterEach(() => lab.close());

  /** Runs Python as a user of the job's. */
  function asJob(script: string): string {
    const words = ['setpriv', '--reuid=1001', '--regid=1001', '--clear-groups'];
    const done = lab.run(...words, '/usr/bin/python3', '-c', script);
    return `${done.stdout}${done.stderr}`.trim();
  }

  test('it runs under the filter, without a capability, and can gain none', () => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) {
      expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0{16}$`, 'm'));
    }
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(status).toMatch(/^Seccomp_filters:\s+1$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Groups:\s*$/m);
  });

  test('its file system is read-only, and holds nothing else', () => {
    const mounts = readFileSync(`/proc/${pid}/mounts`, 'utf8').trim().split('\n');
    const found = mounts.map((one) => one.split(' '));
    expect(found.filter(([, , , options]) => !/^ro,/.test(options ?? ''))).toEqual([]);
    expect(found.filter(([, , , options]) => !/nosuid,nodev/.test(options ?? ''))).toEqual([]);
    const executable = found.filter(([, , , options]) => !options?.includes('noexec'));
    expect(executable.map(([, path]) => path)).toEqual(
      expect.arrayContaining(['/run/cargowall/bin']),
    );
    expect(
      executable.map(([, path]) => path).filter((path) => !/lib|bin/.test(path ?? '')),
    ).toEqual([]);
    const root = spawnSync('ls', [`/proc/${pid}/root`], { encoding: 'utf8' }).stdout.split('\n');
    expect(root).toContain('run');
    for (const name of ['home', 'root', 'var', 'tmp', 'dev', 'bin', 'sbin']) {
      expect(root).not.toContain(name);
    }
  });

  test('nothing of its mounts comes back to the machine, nor keeps a mount of it', () => {
    expect(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).not.toMatch(/shared:|master:/);
    expect(lab.run('cat', '/proc/self/mounts').stdout).not.toContain('cargowall-view');
  });

  test.each([
    ['SIGTERM', 15],
    ['SIGSTOP', 19],
    ['SIGKILL', 9],
  ])("the job's user can not send it %s", (_name, number) => {
    expect(asJob(`import os; os.kill(${pid}, ${number})`)).toContain('PermissionError');
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^State:\s+S/m);
  });

  test("the job's user can not trace it, nor read or write its memory", () => {
    const script = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
b = ctypes.create_string_buffer(8)
class V(ctypes.Structure): _fields_ = [('p', ctypes.c_void_p), ('n', ctypes.c_size_t)]
v = V(ctypes.addressof(b), 8)
def tell(name, r): print(name, r, os.strerror(ctypes.get_errno()) if r < 0 else '')
tell('attach', libc.ptrace(16, ${pid}, 0, 0))
tell('seize', libc.ptrace(0x4206, ${pid}, 0, 0))
tell('readv', libc.process_vm_readv(${pid}, ctypes.byref(v), 1, ctypes.byref(v), 1, 0))
tell('writev', libc.process_vm_writev(${pid}, ctypes.byref(v), 1, ctypes.byref(v), 1, 0))
for name in ['mem', 'maps', 'environ', 'syscall', 'stack', 'auxv', 'fd', 'root', 'cwd', 'map_files', 'timers']:
    path = '/proc/${pid}/' + name
    try: open(path, 'rb').read(1); print(name, 0)
    except IsADirectoryError:
        try: os.listdir(path); print(name, 0)
        except OSError as e: print(name, -1, e.strerror)
    except OSError as e: print(name, -1, e.strerror)
try: fd = os.open('/proc/${pid}/mem', os.O_RDWR); print('mem for writing', 0)
except OSError as e: print('mem for writing', -1, e.strerror)
fd = os.pidfd_open(${pid}); tell('its descriptors', libc.syscall(438, fd, 4, 0))
tell('its limits', libc.prlimit(${pid}, 7, b, None))
`;
    const lines = asJob(script).split('\n');
    expect(lines).toHaveLength(18);
    for (const one of lines) expect(one).toMatch(/ -1 (Operation not permitted|Permission denied)/);
  });

  test('nor give it another priority, another processor or an early death', () => {
    for (const call of [
      `os.setpriority(os.PRIO_PROCESS, ${pid}, 19)`,
      `os.sched_setaffinity(${pid}, [0])`,
      `open('/proc/${pid}/oom_score_adj', 'w').write('1000')`,
    ]) {
      expect(asJob(`import os; ${call}`)).toContain('PermissionError');
    }
  });
});
