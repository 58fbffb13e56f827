// Under sudo-lockdown a crash gives nothing back: not the restart of loader and daemon, and not the end of
// them all. What is left over then, the next start of root's clears.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { Told } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';
import { start } from '../lab/started.ts';

const told = new Told();
afterAll(() => told.print());

const REFUSED = 'curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7';
const NO_SUDO = 'sudo -n /usr/bin/id -u && exit 1 || true';
const SERVED =
  'curl -sS --max-time 5 --retry 20 --retry-all-errors --retry-delay 1 https://registry.example.com/';
/** The loader proper is the younger of the two in its cgroup: the keeper's child. */
const LOADER = `
for p in $(cat $LAB_CGROUP/cargowall.loader/cgroup.procs); do
  parent=$(awk '/^PPid:/ {print $2}' /proc/$p/status)
  grep -qx $parent $LAB_CGROUP/cargowall.loader/cgroup.procs && loader=$p
done`;

function step(name: string, lines: string): string {
  return `- name: ${name}\n  run: |\n${lines.trim().replace(/^/gmu, '    ')}\n`;
}

let run: WorkflowRun;
let left = '';
let after = '';
beforeAll(async () => {
  const own = '$(cat $LAB_CGROUP/cargowall.daemon/cgroup.procs)';
  const all = '$(cat $LAB_CGROUP/cargowall.loader/cgroup.procs)';
  run = await runSteps(
    'lockcrash',
    `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    sudo-lockdown: true
    sudo-allow-commands: /bin/kill
${step('restart', `${LOADER}\nsudo -n /bin/kill -9 $loader ${own}\n${NO_SUDO}\n${REFUSED}\n${SERVED}\n${NO_SUDO}`)}
${step('end', `sudo -n /bin/kill -9 ${all}\n${NO_SUDO}\n${REFUSED}\n${NO_SUDO}`)}
`,
    {
      onExit: async (lab) => {
        const head = () => lab.run('head', '-1', '/etc/sudoers').stdout;
        left = head();
        lab.run('umount', '-l', '/tmp'); // the tests may be there
        await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
        after = head();
      },
    },
  );
}, 120_000);

test('loader and daemon come back: sudo stays taken all the while', () => {
  expect(stepOf(run, 'start').code).toBe(0);
  const { code, log } = stepOf(run, 'restart');
  expect(log).toContain('hello from registry.example.com');
  expect(code).toBe(0);
  told.closed(109, 'loader and daemon are killed under sudo-lockdown');
});

test('keeper and loader are gone for good: sudo stays taken, the job stays closed', () => {
  const { code, log } = stepOf(run, 'end');
  expect(log).not.toMatch(/^0$/mu);
  expect(code).toBe(0);
  expect(left).toContain('cargowall: this file lies over');
  told.closed(109, 'keeper and loader are killed under sudo-lockdown');
});

test('a start of root’s gives sudo back', () => {
  expect(after).not.toBe('');
  expect(after).not.toContain('cargowall');
});
