// The wall with a layer taken away, as somebody with root could: the loader is held, so that it puts
// nothing back meanwhile, and the links of the layer are detached (bpf(2), BPF_LINK_DETACH).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Guarded } from '../lab/guarded.ts';

/** What stands: all of it, the hooks of the guarded cgroup, or the wall on the uplinks. */
export type Wall = 'both layers' | 'the cgroup layer alone' | 'the wall alone';

const DETACH = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr + bytes(128 - len(attr)), 128)
    r = libc.syscall(${process.arch === 'x64' ? 321 : 280}, cmd, b, 128)
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
for name in os.listdir('/run/cargowall/bpf'):
    is_wall = name.startswith('link_tc_')
    if not name.startswith('link_') or name[12:] in ('fork', 'exit', 'arrive'): continue
    if is_wall != (sys.argv[1] == 'wall'): continue
    path = ctypes.create_string_buffer(('/run/cargowall/bpf/' + name).encode())
    bpf(34, struct.pack('<I', bpf(7, struct.pack('<QII', ctypes.addressof(path), 0, 0))))
    print(name)
`;

/** The loader and its keeper. */
function loaders(guarded: Guarded): readonly number[] {
  const path = join(guarded.lab.cgroup, 'cargowall.loader', 'cgroup.procs');
  return readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number);
}

function signal(guarded: Guarded, name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of loaders(guarded)) process.kill(pid, name);
}

/** Holds the loader: it puts nothing right meanwhile. */
export function hold(guarded: Guarded): void {
  signal(guarded, 'SIGSTOP');
}

/** Leaves of the wall what is said; the links that are gone. */
export function reduceTo(wall: Wall, guarded: Guarded): readonly string[] {
  if (wall === 'both layers') return [];
  hold(guarded);
  const gone = wall === 'the wall alone' ? 'cgroup' : 'wall';
  const { code, stdout, stderr } = guarded.run('/usr/bin/python3', '-c', DETACH, gone);
  if (code !== 0) throw new Error(`not detached: ${stderr}`);
  return stdout.split('\n').filter(Boolean);
}

/** Lets the loader go on: it drains its records. A keeper that goes on first may replace it at once. */
export function resume(guarded: Guarded): void {
  try {
    signal(guarded, 'SIGCONT');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    signal(guarded, 'SIGCONT');
  }
}
