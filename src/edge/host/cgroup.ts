// Where the programs are attached: the input `cgroup` (spec 2).
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';

const CGROUP2_SUPER_MAGIC = 0x63677270; // linux/magic.h

/** A cgroup2 directory; `root` when it is the whole machine. */
export interface CgroupChoice {
  readonly path: string;
  readonly root: boolean;
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return ''; // no Linux: said by the capabilities
  }
}

/** The mount of the cgroup2 hierarchy; undefined without one. */
export function cgroupMount(mounts = readMounts()): string | undefined {
  for (const line of mounts.split('\n')) {
    const [, path, type] = line.split(' ');
    if (type === 'cgroup2' && path !== undefined) return path;
  }
  return undefined;
}

/** The cgroup the input names, or an error that says what to do. */
export function chooseCgroup(
  input: string,
  hosted: boolean,
  mount: string,
): { readonly choice: CgroupChoice } | { readonly error: string } {
  if (input === 'root' || (input === 'auto' && hosted)) {
    return { choice: { path: mount, root: true } };
  }
  if (input === 'auto') {
    return {
      error:
        'input cgroup: "auto" means the whole machine on GitHub-hosted runners only. On this runner say "root", or the path of the cgroup2 directory that holds the job',
    };
  }
  if (!input.startsWith('/')) {
    return { error: `input cgroup: found "${input}", expected auto, root or an absolute path` };
  }
  if (!existsSync(input) || !statSync(input).isDirectory()) {
    return { error: `input cgroup: ${input} is no directory. Name one below ${mount}` };
  }
  if (statfsSync(input).type !== CGROUP2_SUPER_MAGIC) {
    return { error: `input cgroup: ${input} is not in cgroup2. Name a directory below ${mount}` };
  }
  return { choice: { path: input, root: false } };
}
