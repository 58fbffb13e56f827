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
    if not name.startswith('link_') or name[12:] in ('fork', 'exec', 'exit', 'arrive', 'socket', 'syscall', 'ring'): continue
    if is_wall != (sys.argv[1] == 'wall'): continue
    path = ctypes.create_string_buffer(('/run/cargowall/bpf/' + name).encode())
    bpf(34, struct.pack('<I', bpf(7, struct.pack('<QII', ctypes.addressof(path), 0, 0))))
    print(name)
`;

/** Until both stand still, which a busy machine takes its time for. */
const HOLD_MS = 10_000;

/** Field 3 (state) and 4 (parent) of /proc/PID/stat. */
function stateOf(pid: number): { readonly state: string; readonly parent: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state, parent: Number(parent) };
}

/** The keeper, then its loader. */
function loaders(guarded: Guarded): readonly [number, number] {
  const path = join(guarded.lab.cgroup, 'cargowall.loader', 'cgroup.procs');
  const pids = readFileSync(path, 'utf8').split('\n').filter(Boolean).map(Number);
  const loader = pids.find((pid) => pids.includes(stateOf(pid).parent));
  if (loader === undefined) throw new Error('there is no loader below a keeper');
  return [stateOf(loader).parent, loader];
}

/**
 * Holds the loader: it puts nothing right meanwhile. The keeper first, which would replace a loader that
 * stands still; the loader may have let it go on once more before it stood still itself.
 */
export function hold(guarded: Guarded): void {
  for (const end = Date.now() + HOLD_MS; Date.now() < end; ) {
    const both = loaders(guarded);
    if (both.every((pid) => stateOf(pid).state === 'T')) return;
    for (const pid of both) process.kill(pid, 'SIGSTOP');
  }
  throw new Error('the loader can not be held');
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

/** Lets the loader go on, which drains its records; the keeper after it, which would replace it. */
export function resume(guarded: Guarded): void {
  const [keeper, loader] = loaders(guarded);
  for (const pid of [loader, keeper]) process.kill(pid, 'SIGCONT');
}
