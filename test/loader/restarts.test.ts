// What a daemon that comes back finds changed on the machine does not keep it from its work.
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { cgroupMount, until } from '../lab/lab.ts';

/** Makes directories, parents first; what was there before stays when they are removed again. */
function makeFolders(paths: readonly string[]): () => void {
  const made: string[] = [];
  for (const path of paths) {
    try {
      mkdirSync(path);
      made.unshift(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return () => {
    for (const path of made) rmdirSync(path);
  };
}

let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('restart');
  await guarded.open();
});
afterEach(() => guarded.close());

test('an agent of the platform that is started after green does not end a restarted daemon', async () => {
  await guarded.guard({ allow: 'registry.example.com:443' });
  const slice = `${cgroupMount()}/system.slice`;
  // one nobody has while other labs may have the others
  const agents = ['walinuxagent', 'systemd-networkd', 'cloud-init'].map(
    (name) => `${slice}/${name}.service`,
  );
  const remove = makeFolders([slice, ...agents]);
  try {
    const file = `${guarded.lab.cgroup}/cargowall.daemon/cgroup.procs`;
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    const ask = () => guarded.run('getent', 'ahostsv4', 'registry.example.com').code === 0;
    await until(ask, 'names are answered again');
    const log = guarded.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
    expect(log.split('"daemon_restarted"')).toHaveLength(2);
  } finally {
    remove();
  }
});
