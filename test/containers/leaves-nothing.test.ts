// The engine of the lab goes as it came: nothing of it stays on the machine, containers included that
// still ran.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Docker } from '../lab/docker.ts';
import { Lab } from '../lab/lab.ts';

/** What an engine could leave on the machine. */
function machine() {
  const run = (file: string, ...words: string[]) => execFileSync(file, words, { encoding: 'utf8' });
  return {
    links: run('ip', '-o', 'link')
      .split('\n')
      .filter((text) => /docker|br-[0-9a-f]{12}/u.test(text)),
    rules: run('iptables-save').match(/.*docker.*/giu) ?? [],
    forward: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  };
}

test('no process, cgroup, mount, interface, rule or folder stays', async () => {
  const before = machine();
  const lab = new Lab('leaves');
  await lab.open();
  const docker = new Docker(lab);
  try {
    await docker.open();
    docker.serve('web', '-p', '8081:8080');
    expect(lab.run('curl', '-s', 'http://192.0.2.2:8081/').stdout).toBe('web\n');
    expect(machine().links).toEqual(before.links);
    expect(machine().rules).toEqual(before.rules);
  } finally {
    docker.close();
    lab.close();
  }
  expect(machine()).toEqual(before);
  // a cgroup in which a process lives can't be removed
  expect(existsSync(lab.cgroup)).toBe(false);
  expect(existsSync(docker.folder)).toBe(false);
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(docker.folder);
});
