// Whether this runner can be guarded: feature probes, never version checks. What only the kernel
// can say (each program, each hook) is said by the loader, before anything has changed.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, readlinkSync } from 'node:fs';

const SUDO = '/usr/bin/sudo';
const MACHINE_PID_NAMESPACE = 'pid:[4026531836]';
const BTF = '/sys/kernel/btf/vmlinux';

/** One thing that is looked at; `remedy` is empty when it is there. */
export interface Capability {
  readonly name: string;
  readonly found: string;
  readonly remedy: string;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
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

function probeSudo(): Capability {
  const name = 'root';
  if (process.getuid?.() === 0) return { name, found: 'yes', remedy: '' };
  const remedy = 'let the runner user run sudo without a password';
  if (!isExecutable(SUDO)) return { name, found: `no ${SUDO}`, remedy };
  const done = spawnSync(SUDO, ['-n', '--', '/bin/true'], { env: {}, timeout: 5000 });
  if (done.status === 0) return { name, found: 'by sudo', remedy: '' };
  return { name, found: 'sudo asks for a password', remedy };
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

/** All capabilities, in the order people look for them. */
export function probeCapabilities(mount: string | undefined): readonly Capability[] {
  const system = probeSystem();
  if (system.remedy !== '') return [system];
  return [system, probeProcessor(), probeContainer(), probeBtf(), probeCgroup(mount), probeSudo()];
}
