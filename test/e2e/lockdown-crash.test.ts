// Under sudo-lockdown a crash gives nothing back: not the restart of loader and daemon, and not the end of
// them all. What is left over then, the next main clears, and so does a start of root's.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { Told } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { runNextSteps, runSteps, stepOf } from '../lab/run-written.ts';
import type { RunResult } from '../lab/runner/plan.ts';
import { start } from '../lab/started.ts';

const told = new Told();
afterAll(() => told.print());

const REFUSED = 'curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7';
const NO_SUDO = 'sudo -n /usr/bin/id -u && exit 1 || true';
const SERVED =
  'curl -sS --max-time 5 --retry 20 --retry-all-errors --retry-delay 1 https://registry.example.com/';
const UNLOCK = '/run/cargowall/bin/loader unlock';
/** Every way the job may try to have sudo given back early; what each is answered with. */
const EARLY = [
  ['as it is', `sudo -n ${UNLOCK}`, 5],
  ['without sudo', UNLOCK, 4],
  ['from elsewhere', `cd /home/runner && LD_PRELOAD=/x GLIBC_TUNABLES=x sudo -n ${UNLOCK}`, 5],
  ['by another path', `ln -s /run/cargowall /tmp/link && sudo -n /tmp/link/bin/loader unlock`, 5],
  ['a link to it', 'ln -s /run/cargowall/bin/loader /tmp/loader && sudo -n /tmp/loader unlock', 5],
  [
    'a copy of it',
    'cp dist/bin/loader-linux-x64 /home/runner/loader && sudo -n /home/runner/loader unlock',
    1,
  ],
  ['no argument', 'sudo -n /run/cargowall/bin/loader', 1],
  ['one more', `sudo -n ${UNLOCK} now`, 1],
  ['another', 'sudo -n /run/cargowall/bin/loader start', 1],
  ['two in one', "sudo -n /run/cargowall/bin/loader 'unlock start'", 1],
  ['the environment kept', `sudo -n -E ${UNLOCK}`, 1],
  ['a variable set', `sudo -n LD_PRELOAD=/x ${UNLOCK}`, 1],
  ['another user', `sudo -n -u runner ${UNLOCK}`, 1],
  ['another folder', `sudo -n -D /tmp ${UNLOCK}`, 1],
  ['another root', `sudo -n -R /tmp ${UNLOCK}`, 1],
  ['a shell', `sudo -n -s ${UNLOCK}`, 1],
  ['an editor', 'sudo -n -e /run/cargowall/bin/loader', 1],
  ['no descriptors', `sudo -n ${UNLOCK} <&- >&- 2>&-`, 5],
  ['namespaces of its own', `unshare -Urpf --mount-proc sudo -n ${UNLOCK}`, 1],
] as const;
const TRY_EARLY = EARLY.map(
  ([what, command]) => `(${command}) >/dev/null 2>&1 && code=0 || code=$?\necho "${what}: $code"`,
).join('\n');
/** The loader proper is the younger of the two in its cgroup: the keeper's child. */
const LOADER = `
for p in $(cat $LAB_CGROUP/cargowall.loader/cgroup.procs); do
  parent=$(awk '/^PPid:/ {print $2}' /proc/$p/status)
  grep -qx $parent $LAB_CGROUP/cargowall.loader/cgroup.procs && loader=$p
done`;

function step(name: string, lines: string): string {
  return `- name: ${name}\n  run: |\n${lines.trim().replace(/^/gmu, '    ')}\n`;
}

const NEXT = `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    sudo-lockdown: true
    sudo-allow-commands: |
      /usr/bin/id
      /bin/kill
- name: allowed
  run: sudo -n /usr/bin/id -u
- name: end
  run: sudo -n /bin/kill -9 $(cat $LAB_CGROUP/cargowall.loader/cgroup.procs)
`;

let run: WorkflowRun;
let left = '';
let byRoot = '';
const unlocked = { elsewhere: 0, next: { steps: [] as RunResult['steps'] }, inBetween: '' };
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
${step('end', `sudo -n /bin/kill -9 ${all}\n${NO_SUDO}\n${REFUSED}\n${TRY_EARLY}\n${NO_SUDO}\n${REFUSED}`)}
`,
    {
      onExit: async (lab) => {
        const head = () => lab.run('head', '-1', '/etc/sudoers').stdout;
        left = head();
        const asRunner = ['setpriv', '--reuid=1001', '--regid=1001', '--init-groups'];
        const elsewhere = ['unshare', '-pf', '--mount-proc', ...asRunner];
        unlocked.elsewhere = lab.run(...elsewhere, 'sudo', '-n', ...UNLOCK.split(' ')).code ?? -1;
        unlocked.inBetween = head();
        unlocked.next = await runNextSteps(lab, NEXT);
        lab.run('umount', '-l', '/tmp'); // the tests may be there
        await start(lab, { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] });
        byRoot = head();
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

test.each(EARLY)('while the worker lives unlock gives nothing back: %s', (what, _command, code) => {
  expect(stepOf(run, 'end').log).toContain(`${what}: ${code}\n`);
  told.closed(109, `keeper and loader are killed, unlock, ${what}`);
});

test('where the worker can not be seen unlock gives nothing back', () => {
  expect(unlocked.elsewhere).toBe(5);
  expect(unlocked.inBetween).toContain('cargowall: this file lies over');
  told.closed(109, 'keeper and loader are killed, unlock, in a process namespace of root');
});

test('once the worker has exited the next main starts as if nothing had been', () => {
  const [main, sudo] = unlocked.next.steps;
  expect(main?.log).toContain('root: by sudo');
  expect(main?.code).toBe(0);
  expect(main?.outputs).toMatchObject({ enforcing: 'true' });
  expect(sudo?.log).toBe('0\n');
});

test('a start of root’s gives sudo back', () => {
  expect(byRoot).not.toBe('');
  expect(byRoot).not.toContain('cargowall');
});
