// Each process's death has a written consequence (design 1): closed for the job, the runner served.
import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, recordsOf, runSteps, serviceFailures, stepOf } from '../lab/run-written.ts';

const REFUSED = 'curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7';
const ALLOWED =
  'curl -sS --max-time 5 --retry 20 --retry-all-errors --retry-delay 1 https://registry.example.com/';
const DAEMON = 'sudo sh -c "kill -9 $(cat $LAB_CGROUP/cargowall.daemon/cgroup.procs)"';
/** The loader proper is the younger of the two in its cgroup: the keeper's child. */
const LOADER = `
keeper=; for p in $(cat $LAB_CGROUP/cargowall.loader/cgroup.procs); do
  parent=$(awk '/^PPid:/ {print $2}' /proc/$p/status)
  grep -qx $parent $LAB_CGROUP/cargowall.loader/cgroup.procs && loader=$p
done`;

function killing(name: string, command: string): string {
  const lines = `${command}\n${REFUSED}\n${ALLOWED}\n${REFUSED}`;
  return `- name: ${name}\n  run: |\n${lines.replace(/^/gm, '    ')}\n`;
}

describe('kill -9 in the middle of a job', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'deaths',
      `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
- name: before
  run: ${REFUSED}
${killing('daemon', DAEMON)}
${killing('loader', `${LOADER}\nsudo kill -9 $loader`)}
${killing('both', `${LOADER}\nsudo kill -9 $loader $(cat $LAB_CGROUP/cargowall.daemon/cgroup.procs)`)}
- name: one of each
  run: |
    count() { wc -l < $LAB_CGROUP/cargowall.$1/cgroup.procs; }
    for try in $(seq 100); do
      [ "$(count daemon) $(count loader)" = "1 2" ] && exit 0
      sleep 0.05 # the kernel tells nobody when a process has left a cgroup
    done
    exit 1
`,
    );
  }, 180_000);

  test.each(['daemon', 'loader', 'both'])(
    '%s: still closed for the job, and allowed names are served again',
    (name) => {
      const { code, log } = stepOf(run, name);
      expect(log).toContain('hello from registry.example.com');
      expect(code).toBe(0);
    },
  );

  test('afterwards there is one daemon, one loader and its keeper', () => {
    expect(stepOf(run, 'one of each').code).toBe(0);
  });

  test('the runner is served throughout', () => {
    expect(serviceFailures(run)).toEqual([]);
  });

  test('every death is recorded, and no record before it is lost or doubled', () => {
    const restarts = recordsOf(run).filter(({ event_type: type }) => type === 'daemon_restarted');
    expect(restarts).toHaveLength(3);
    const refused = eventsOf(run).filter(({ event_type: type }) => type === 'connection_blocked');
    expect(refused).toHaveLength(7);
    expect(new Set(refused.map(({ timestamp }) => timestamp)).size).toBe(7);
    const ended = recordsOf(run).find(({ event_type: type }) => type === 'session_ended');
    expect(ended).toMatchObject({ totals: { connection_blocked: 7, daemon_restarted: 3 } });
  });
});

describe('main killed before green', () => {
  const inputs =
    'INPUT_MODE=enforce INPUT_ON-UNSUPPORTED=fail INPUT_ALLOW-EXISTING-CONNECTIONS=true ' +
    'INPUT_FAIL-ON-BLOCK=false INPUT_SUDO-LOCKDOWN=false INPUT_SUMMARY=true INPUT_DEBUG=false ' +
    'INPUT_CGROUP=$LAB_CGROUP';
  const stages = ['This runner', 'Policy', 'upstream resolvers', 'Proof of the wall'];

  test('at each stage: the start is undone, and the next one is green', async () => {
    const steps = stages.map(
      (text) =>
        `- name: ${text}\n  run: env ${inputs} /home/runner/node /home/runner/harness/kill-main.ts "${text}" /home/runner/node dist/main/index.js\n`,
    );
    const run = await runSteps('cancel', `${steps.join('')}- name: green\n  uses: ./\n`);
    for (const stage of stages) {
      expect(stepOf(run, stage).log).toContain('killed true, undone true');
    }
    expect(stepOf(run, 'green').outputs['enforcing']).toBe('true');
    expect(serviceFailures(run)).toEqual([]);
  }, 120_000);
});
