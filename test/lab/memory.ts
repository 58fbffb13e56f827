// A bound on the memory of some processes: a cgroup of the kernel's memory controller, of either version.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMount, type Lab, until } from './lab.ts';

/** Where the memory controller is, and whether it is of the second version. */
function controller(): { mount: string; isSecond: boolean } {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, path, type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('memory') && path !== undefined)
      return { mount: path, isSecond: false };
  }
  return { mount: cgroupMount(), isSecond: true };
}

/** Processes whose memory is bounded together; what they had before is not counted. */
export class MemoryBound {
  readonly path: string;
  readonly #isSecond: boolean;

  constructor(lab: Lab, bytes: number) {
    const { mount, isSecond } = controller();
    this.#isSecond = isSecond;
    this.path = join(mount, `${lab.runner}-memory`);
    if (isSecond) writeFileSync(join(mount, 'cgroup.subtree_control'), '+memory');
    mkdirSync(this.path);
    writeFileSync(join(this.path, isSecond ? 'memory.max' : 'memory.limit_in_bytes'), `${bytes}`);
  }

  /** Bounds a process from now on, and what it starts. */
  add(pid: number): void {
    writeFileSync(join(this.path, 'cgroup.procs'), String(pid));
  }

  /** How often the kernel ended a process for want of memory. */
  get kills(): number {
    const name = this.#isSecond ? 'memory.events' : 'memory.oom_control';
    return Number(/^oom_kill (\d+)/mu.exec(readFileSync(join(this.path, name), 'utf8'))?.[1]);
  }

  /** Ends what still runs in the bound, and removes it. */
  async close(): Promise<void> {
    await until(() => {
      for (const pid of this.#pids()) process.kill(pid, 'SIGKILL');
      return this.#pids().length === 0;
    }, 'the bound is empty');
    rmdirSync(this.path);
  }

  #pids(): number[] {
    const text = readFileSync(join(this.path, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  }
}
