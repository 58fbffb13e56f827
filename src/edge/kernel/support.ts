// Whether this runner can be guarded: feature probes, never version checks. What only the kernel
// can say (each program, each hook) is said by the loader, before anything has changed.
import { existsSync, readlinkSync } from 'node:fs';

const BTF = '/sys/kernel/btf/vmlinux';
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
  readonly exists: (path: string) => boolean;
  /** A symbolic link's text; throws without one. */
  readonly readLink: (path: string) => string;
}

const THIS_MACHINE: ProbedMachine = {
  platform: process.platform,
  arch: process.arch,
  exists: existsSync,
  readLink: (path) => readlinkSync(path),
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
  const name = 'container job';
  if (own.length === 0) return { name, found: 'no', remedy: '' };
  return {
    name,
    found: `yes (own namespaces: ${own.join(', ')})`,
    remedy:
      'a job in a container cannot guard its machine; remove "container:" and start containers in its steps',
  };
}

function probeRoot(access: string): Capability {
  const isRoot = access === 'is root' || access === 'by sudo';
  const remedy = isRoot ? '' : 'let the runner user run sudo without a password';
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
    probeProcessor(machine),
    probeContainer(machine),
    probeBtf(machine),
    probeCgroup(mount),
    probeRoot(access),
  ];
}
