// Whether this runner can be guarded: feature probes, never version checks. What only the kernel
// can say (each program, each hook) is said by the loader, before anything has changed.
import { existsSync, readFileSync, readlinkSync } from 'node:fs';

const MACHINE_PID_NAMESPACE = 'pid:[4026531836]';
const BTF = '/sys/kernel/btf/vmlinux';

/** One thing that is looked at; `remedy` is empty when it is there. */
export interface Capability {
  readonly name: string;
  readonly found: string;
  readonly remedy: string;
}

function probeProcessor(): Capability {
  const isKnown = process.arch === 'x64' || process.arch === 'arm64';
  const remedy = isKnown ? '' : 'use a runner with an x64 or arm64 processor';
  return { name: 'processor', found: process.arch, remedy };
}

function probeSystem(): Capability {
  const remedy = process.platform === 'linux' ? '' : 'use a Linux runner';
  return { name: 'system', found: process.platform, remedy };
}

/** A container has a process namespace of its own; the machine's has a fixed number (linux/proc_ns.h). */
function probeContainer(): Capability {
  const isMachine = readlinkSync('/proc/self/ns/pid') === MACHINE_PID_NAMESPACE;
  const remedy = isMachine
    ? ''
    : 'a job in a container cannot guard its machine; remove "container:" and start containers in its steps';
  return { name: 'container job', found: isMachine ? 'no' : 'yes', remedy };
}

function probeRoot(access: string): Capability {
  const isRoot = access === 'is root' || access === 'by sudo';
  const remedy = isRoot ? '' : 'let the runner user run sudo without a password';
  return { name: 'root', found: access, remedy };
}

function probeBtf(): Capability {
  const isThere = existsSync(BTF);
  const remedy = isThere ? '' : 'use a kernel built with CONFIG_DEBUG_INFO_BTF';
  return { name: 'kernel types (BTF)', found: isThere ? 'yes' : `no ${BTF}`, remedy };
}

function probeCgroup(mount: string | undefined): Capability {
  const remedy = mount === undefined ? 'mount the cgroup2 hierarchy' : '';
  return { name: 'cgroup2', found: mount ?? 'not mounted', remedy };
}

/** The kernel's release, for the report only. */
export function kernelRelease(): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
}

/** All capabilities, in the order people look for them; `access` says how root is had. */
export function probeCapabilities(
  mount: string | undefined,
  access: string,
): readonly Capability[] {
  const system = probeSystem();
  if (system.remedy !== '') return [system];
  return [
    system,
    probeProcessor(),
    probeContainer(),
    probeBtf(),
    probeCgroup(mount),
    probeRoot(access),
  ];
}
