// Somebody with root changes what stands (spec 10): a record within two seconds, and what can be put
// right is put right. The wall goes on refusing in each case.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { line, until } from '../lab/lab.ts';
import { jobConnect } from '../lab/started.ts';

const REFUSED = '198.51.100.20';
const LOG = '/run/cargowall/records/audit.jsonl';
/** bpf(2) by number (linux/bpf.h). */
const BPF = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr + bytes(128 - len(attr)), 128)
    r = libc.syscall(${process.arch === 'x64' ? 321 : 280}, cmd, b, 128)
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
def at(buffer): return ctypes.addressof(buffer)
def get(path):
    p = ctypes.create_string_buffer(path.encode())
    return bpf(7, struct.pack('<QII', at(p), 0, 0))
def detach(path): bpf(34, struct.pack('<I', get(path)))
def lookup(fd, key, size):
    k, v = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    bpf(1, struct.pack('<IIQQQ', fd, 0, at(k), at(v), 0)); return v.raw
def update(fd, key, value):
    k, v = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    bpf(2, struct.pack('<IIQQQ', fd, 0, at(k), at(v), 0))
`;

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('tamper');
  await guarded.open();
  await guarded.guard({ allow: 'registry.example.com:443' });
});
afterEach(() => guarded.close());

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

describe('within two seconds there is a record when', () => {
  test('a program of the cgroup is detached', async () => {
    expect(asRoot(`detach('/run/cargowall/bpf/link_egress_connect4')`)).toBe('');
    await foundSoon('egress_connect4 is not attached any more');
    // the packet hooks are behind it
    expect(jobConnect(guarded.lab, REFUSED)).not.toBe('connected');
  });

  test('the wall of an uplink is detached', async () => {
    expect(asRoot(`detach(${UPLINK})`)).toBe('');
    await foundSoon('is not attached any more');
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
  });

  test('the wall of an uplink is detached and the network changes at once', async () => {
    const change = `os.system('ip link add later type bridge')`;
    expect(asRoot(`detach(${UPLINK}); ${change}`)).toBe('');
    await foundSoon('is not attached any more');
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
  });

  test('a pin is removed', async () => {
    asRoot(`os.unlink('/run/cargowall/bpf/link_egress_skb')`);
    await foundSoon('the pin of the program egress_skb is gone');
    // and of what nobody touched, nothing
    expect(findings()).toHaveLength(1);
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
  });

  test('another program comes to a hook of ours', async () => {
    const said = asRoot(`
code = ctypes.create_string_buffer(bytes.fromhex('b7000000010000009500000000000000'), 16)
name = ctypes.create_string_buffer(b'GPL')
prog = bpf(5, struct.pack('<IIQQ', 8, 2, at(code), at(name)))
cgroup = os.open('${guarded.lab.cgroup}', os.O_RDONLY)
bpf(8, struct.pack('<IIII', cgroup, prog, 1, 2))`);
    expect(said).toBe('');
    await foundSoon('the programs of the guarded cgroup');
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
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
  ])('%s', (_what, map, change) => {
    const said = asRoot(`fd = get('/run/cargowall/bpf/map_${map}')
${change}
update(fd, bytes(key), bytes(value))`);
    expect(said).toContain('Operation not permitted');
    expect(jobConnect(guarded.lab, REFUSED)).toBe('PermissionError');
  });
});
