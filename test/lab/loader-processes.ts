// The processes of a session as the kernel lists them, a start to its exit code, and what an undone start has left.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Lab, OTHER4, until } from './lab.ts';
import { jobConnect } from './started.ts';

/** Pids in one of the loader's cgroups. */
export function pidsOf(lab: Lab, name: 'cargowall.loader' | 'cargowall.daemon'): number[] {
  const text = readFileSync(`${lab.cgroup}/${name}/cgroup.procs`, 'utf8');
  return text.split('\n').filter(Boolean).map(Number);
}

/** The daemon; there must be one, as pid 0 would mean our own process group. */
export function daemonOf(lab: Lab): number {
  const pid = pidsOf(lab, 'cargowall.daemon')[0];
  if (pid === undefined) throw new Error('there is no daemon');
  return pid;
}

/** A word of a process's status; undefined when it is gone. */
export function statusOf(pid: number, name: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s+(\\w+)`, 'm').exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** The two processes of the loader's cgroup. */
export interface Pair {
  readonly proper: number;
  readonly keeper: number;
}

/**
 * The loader proper is the one whose parent, the keeper, is in the same cgroup; a daemon that is being
 * born is there for a moment too, as the loader's child.
 */
export function findLoader(lab: Lab): Pair | undefined {
  const all = pidsOf(lab, 'cargowall.loader');
  const pairs = all.map((proper) => ({ proper, keeper: Number(statusOf(proper, 'PPid')) }));
  const children = pairs.filter(({ keeper }) => all.includes(keeper));
  return children.find(({ keeper }) => !children.some(({ proper }) => proper === keeper));
}

/** As findLoader, where there must be one. */
export function loaderOf(lab: Lab): Pair {
  const found = findLoader(lab);
  if (found === undefined) throw new Error('there is no loader with its keeper');
  return found;
}

/** What the daemon has written so far. */
export function logOf(lab: Lab): string {
  return lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
}

/** Nothing of a session is left, and nothing is refused any more. */
export async function expectUndone(lab: Lab): Promise<void> {
  await until(() => !lab.exists('/run/cargowall'), 'the mounts are gone');
  await until(
    () => spawnSync('test', ['-e', `${lab.cgroup}/cargowall.loader`]).status === 1,
    'the cgroups are gone',
  );
  expect(spawnSync('test', ['-e', `${lab.cgroup}/cargowall.daemon`]).status).toBe(1);
  expect(lab.run('cat', '/proc/self/mounts').stdout).not.toContain('cargowall');
  expect(jobConnect(lab, OTHER4)).not.toBe('PermissionError');
}

/** A start that is to end by itself. */
export function startToEnd(
  lab: Lab,
  command: readonly string[],
  input = '',
): { code: number | null; text: string } {
  const [file = '', ...words] = lab.enter(command);
  const done = spawnSync(file, words, { input, encoding: 'utf8', timeout: 15_000 });
  return { code: done.status, text: done.stdout };
}

/** A start whose main goes on listening: it ends by what it finds itself. */
export async function startHeld(
  lab: Lab,
  command: readonly string[],
  input: string,
): Promise<{ code: number | null; text: string }> {
  const child = lab.spawn(command);
  let text = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  child.stdin?.on('error', () => undefined); // one that is refused does not read
  child.stdin?.write(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, text };
}
