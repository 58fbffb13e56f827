// Case 59 (R): a program before the wall that ends the chain. The wall behind it no longer sees
// frames, the cgroup layer still refuses, and the record says that somebody else stands there.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { line, until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { Told } from './told.ts';

let arena: Arena;
const told = new Told();
beforeEach(async () => {
  arena = new Arena('foreign');
  await arena.open();
  await arena.guard();
}, 60_000);
afterEach(() => {
  arena.close();
  told.print();
});

/** A TCX program at the head that lets everything pass (BPF_LINK_CREATE, BPF_F_BEFORE). */
const HEAD = `
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr + bytes(128 - len(attr)), 128)
    r = libc.syscall(${process.arch === 'x64' ? 321 : 280}, cmd, b, 128)
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
code = ctypes.create_string_buffer(bytes.fromhex('b7000000000000009500000000000000'), 16)
name = ctypes.create_string_buffer(b'GPL')
program = bpf(5, struct.pack('<IIQQ', 3, 2, ctypes.addressof(code), ctypes.addressof(name)))
link = bpf(28, struct.pack('<IIIII', program, socket.if_nametoindex('up0'), 47, 8, 0))
print('stands', flush=True); sys.stdin.read()
`;

test('case 59 (R), a program at the head of the uplink', async () => {
  const child = arena.guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', HEAD]);
  await line(child, 'stands');
  const since = Date.now();
  const found = () =>
    arena.guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  await until(() => found().includes('the uplink up0 have changed'), 'the finding');
  expect(Date.now() - since).toBeLessThan(2500);
  for (const [script, at] of [
    ['datagram().sendto(M, (TO, 9))', 1],
    ['stream()', 2],
    ['raw4(ipv4(17, udp(M)))', 3],
  ] as const) {
    const passed = arena.attempt('N', script, ALLOWED);
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('N', script, `203.0.112.${at}`);
    expect(tried.stdout).toContain('PermissionError');
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    expect((await arena.blocksOf(`203.0.112.${at}`)).length).toBeGreaterThan(0);
  }
  told.closed(59, 'a program at the head of the uplink');
});
