// Whether this runner can be guarded: feature probes, never version checks. What only the kernel
// can say (each program, each hook) is said by the loader, before anything has changed.
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';

const BTF = '/sys/kernel/btf/vmlinux';
const LSM = '/sys/kernel/security/lsm';
/** The machine's own namespaces have fixed numbers (linux/nsfs.h); a container has others. */
const MACHINE_NAMESPACES = new Map([
  ['pid', 'pid:[4026531836]'],
  ['ipc', 'ipc:[4026531839]'],
  ['cgroup', 'cgroup:[4026531835]'],
]);

/** One thing that is looked at; `remedy` is empty when it is there. */
export interface Capability {
  readonly name: string;
  readonly found: string;
  readonly remedy: string;
}

/** What the probes look at. */
export interface ProbedMachine {
  readonly platform: string;
  readonly arch: string;
  /** The kernel's release. */
  readonly release: string;
  readonly exists: (path: string) => boolean;
  /** A symbolic link's text; throws without one. */
  readonly readLink: (path: string) => string;
  /** A file's text; throws without one. */
  readonly readText: (path: string) => string;
}

const THIS_MACHINE: ProbedMachine = {
  platform: process.platform,
  arch: process.arch,
  release: release(),
  exists: existsSync,
  readLink: (path) => readlinkSync(path),
  readText: (path) => readFileSync(path, 'utf8'),
};

function probeProcessor({ arch }: ProbedMachine): Capability {
  const isKnown = arch === 'x64' || arch === 'arm64';
  const remedy = isKnown ? '' : 'use a runner with an x64 or arm64 processor';
  return { name: 'processor', found: arch, remedy };
}

function probeSystem({ platform }: ProbedMachine): Capability {
  const remedy = platform === 'linux' ? '' : 'use a Linux runner';
  return { name: 'system', found: platform, remedy };
}

function probeContainer({ readLink }: ProbedMachine): Capability {
  const own = [...MACHINE_NAMESPACES].flatMap(([kind, machine]) => {
    try {
      return readLink(`/proc/self/ns/${kind}`) === machine ? [] : [kind];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return []; // a kernel without this kind has one for all
    }
  });
  const name = 'container job or slim image';
  if (own.length === 0) return { name, found: 'no', remedy: '' };
  return {
    name,
    found: `yes (own namespaces: ${own.join(', ')})`,
    remedy:
      'a job in a container cannot guard its machine; remove "container:" and start containers in its steps, or, where the image is a slim one (itself a container), use a full one',
  };
}

function probeRoot(access: string): Capability {
  const isRoot = access === 'is root' || access === 'by sudo';
  const isTaken = access.includes('sudo-lockdown');
  const wanted = isTaken
    ? 'run one guarded job at a time on a machine'
    : 'let the runner user run sudo without a password';
  const remedy = isRoot ? '' : wanted;
  return { name: 'root', found: access, remedy };
}

function probeBtf({ exists }: ProbedMachine): Capability {
  const isThere = exists(BTF);
  const remedy = isThere ? '' : 'use a kernel built with CONFIG_DEBUG_INFO_BTF';
  return { name: 'kernel types (BTF)', found: isThere ? 'yes' : `no ${BTF}`, remedy };
}

function probeCgroup(mount: string | undefined): Capability {
  const remedy = mount === undefined ? 'mount the cgroup2 hierarchy' : '';
  return { name: 'cgroup2', found: mount ?? 'not mounted', remedy };
}

/** Nothing depends on it, and a kernel need not say: which modules guard beside us. */
function probeModules({ readText }: ProbedMachine): Capability {
  const name = 'security modules (LSM)';
  try {
    return { name, found: `${readText(LSM).trim()}; none is needed`, remedy: '' };
  } catch {
    return { name, found: 'not told; none is needed', remedy: '' };
  }
}

/** All capabilities, in the order people look for them; `access` says how root is had. */
export function probeCapabilities(
  mount: string | undefined,
  access: string,
  machine = THIS_MACHINE,
): readonly Capability[] {
  const system = probeSystem(machine);
  if (system.remedy !== '') return [system];
  return [
    system,
    { name: 'kernel', found: machine.release, remedy: '' },
    probeProcessor(machine),
    probeContainer(machine),
    probeBtf(machine),
    probeCgroup(mount),
    probeModules(machine),
    probeRoot(access),
  ];
}
