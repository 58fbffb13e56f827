// What the benches share: one line a figure, medians, the memory of a lab's processes.
import { readFileSync } from 'node:fs';
import type { Lab } from '../test/lab/lab.ts';

export function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** One line of the table. */
export function say(what: string, figure: string, goal = ''): void {
  process.stdout.write(`${what.padEnd(66)} ${figure.padEnd(34)} ${goal}\n`);
}

/** The processes of one of a lab's cgroups. */
export function pidsOf(lab: Lab, cgroup: string): readonly string[] {
  return readFileSync(`${lab.cgroup}/${cgroup}/cgroup.procs`, 'utf8').split('\n').filter(Boolean);
}

/** Resident memory of a cgroup's processes; of the loader's only what is anonymous. */
export function residentKb(lab: Lab, cgroup: string): number {
  const field = cgroup.endsWith('loader') ? 'RssAnon' : 'VmRSS';
  return pidsOf(lab, cgroup)
    .map((pid) =>
      new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')),
    )
    .reduce((sum, found) => sum + Number(found?.[1] ?? 0), 0);
}
