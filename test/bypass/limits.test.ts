// What no hook of this kernel stops. Where a limit holds, the evidence is there and the threat model
// names it; where the kernel stops the attempt after all, it is closed.
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eachLine, until } from '../lab/lab.ts';
import { Arena, ATTACKER } from './arena.ts';
import { isDocumented, Told } from './told.ts';

const arena = new Arena('limits');
const told = new Told();
beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** Keeps the socket open until its input ends: what stands for a second is told. */
const HOLD = `print('sent', flush=True); sys.stdin.read()`;
const BYPASS = `
s = socket.socket(17, 3); s.setsockopt(263, 20, 1); s.bind(('up0', 0))
s.send(b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(M)))
${HOLD}`;
/** A ring of its own to the device (if_xdp.h), in copy mode: one frame. */
const XDP = `
import mmap
s = socket.socket(44, 3, 0)
memory = mmap.mmap(-1, 16384); at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
s.setsockopt(283, 4, struct.pack('<QQIIII', at, 16384, 4096, 0, 0, 0))
for ring in (5, 6, 3): s.setsockopt(283, ring, struct.pack('<I', 64))
tx = struct.unpack('<16Q', s.getsockopt(283, 1, 128))[4:8]
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
ring = libc.mmap(None, tx[2] + 64 * 16, 3, 0x8001, s.fileno(), 0x80000000)
own = b'\\2\\0\\0\\0\\0\\1'
p = b'\\xff' * 6 + own + b'\\x08\\0' + ipv4(17, udp(M)); memory[0:len(p)] = p
address = struct.pack('<HHIII', 44, 2, socket.if_nametoindex('up0'), 0, 0)
if libc.bind(s.fileno(), address, 16): raise OSError(ctypes.get_errno(), 'bind')
ctypes.memmove(ring + tx[2], struct.pack('<QII', 0, len(p), 0), 16)
ctypes.memmove(ring + tx[0], struct.pack('<I', 1), 4)
libc.sendto(s.fileno(), None, 0, 0x40, None, 0)
${HOLD}`;

function findings(): readonly string[] {
  const log = '/run/cargowall/records/audit.jsonl';
  const { stdout } = arena.guarded.run('grep', '"tamper"', log);
  return stdout.split('\n').filter((text) => text.includes('limit L1'));
}

/** Starts an attempt that holds its socket; its first line. */
async function held(child: ChildProcess): Promise<string> {
  let first = '';
  eachLine(child, (text) => {
    first ||= text;
  });
  await until(() => first !== '', 'the attempt to say something');
  return first;
}

test.each([
  [26, 'a packet socket past the queue (PACKET_QDISC_BYPASS)', BYPASS, 'a packet socket'],
  [27, 'an XDP socket of its own', XDP, 'an XDP socket'],
])('case %i (N), %s', async (number, what, script, told_) => {
  const marker = arena.marker();
  const child = arena.guarded.lab.spawn(arena.words('N', script, ATTACKER, marker));
  const since = Date.now();
  expect(await held(child)).toBe('sent');
  const found = `process ${child.pid} has opened ${told_}`;
  await until(() => findings().some((text) => text.includes(found)), `"${found}"`);
  expect(Date.now() - since).toBeLessThan(2500);
  if (await arena.hasArrived(marker, false)) {
    expect(isDocumented('L1')).toBe(true);
    told.limit(number, what, 'L1');
  } else {
    told.closed(number, what);
  }
  child.kill('SIGKILL');
});

test.each([26, 27])('case %i (U), the same without CAP_NET_RAW', (number) => {
  const script = number === 26 ? BYPASS : XDP;
  expect(arena.attempt('U', script, ATTACKER).stdout).toContain('PermissionError 1');
  told.closed(number, 'the same without CAP_NET_RAW');
});

test('case 33 (U), the hypervisor by AF_VSOCK', () => {
  const script = `s = socket.socket(40, 1); s.settimeout(2); s.connect((2, 9999)); s.sendall(M)`;
  const said = arena.attempt('U', script, ATTACKER).stdout.trim();
  // no device, nobody there, or a connection: no hook of ours is on the way
  expect(said).toMatch(
    /^(?:OSError|ConnectionResetError|ConnectionRefusedError|TimeoutError|sent)/u,
  );
  expect(isDocumented('L2')).toBe(true);
  told.limit(33, 'the hypervisor by AF_VSOCK', 'L2');
});
