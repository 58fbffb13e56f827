// What deaths.test.ts does not end: the keeper, and processes that are stopped instead of killed. The job
// stays closed, allowed names are served, the runner's own flow goes on, and post tells it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, recordsOf, runSteps, serviceFailures, stepOf } from '../lab/run-written.ts';

const SECRET = 'hunter2-token';
const told = new Told();
afterAll(() => told.print());
const REFUSED = 'curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7';
const ALLOWED =
  'curl -sS --max-time 5 --retry 8 --retry-all-errors --retry-delay 1 https://registry.example.com/';
/** The pair and the daemon, once there is one of each: the kernel tells nobody when it is so. */
const FIND = `
procs=$LAB_CGROUP/cargowall.loader/cgroup.procs
for try in $(seq 200); do
  keeper= loader= daemon=$(cat $LAB_CGROUP/cargowall.daemon/cgroup.procs)
  for p in $(cat $procs); do
    parent=$(awk '/^PPid:/ {print $2}' /proc/$p/status 2>/dev/null || true)
    grep -qx "$parent" $procs && loader=$p keeper=$parent
  done
  stopped=$(cat /proc/\${keeper:-1}/status /proc/\${loader:-1}/status 2>/dev/null | grep -c '^State:.*stopped' || true)
  [ -n "$keeper" ] && [ -n "$daemon" ] && [ "$stopped $(wc -l < $procs)" = "0 2" ] && break
  sleep 0.05
done`;
const CASES = {
  'keeper killed': 'kill -9 $keeper',
  'keeper stopped': 'kill -STOP $keeper',
  'loader stopped': 'kill -STOP $loader',
  'daemon stopped': 'kill -STOP $daemon',
};

function step(name: string, command: string): string {
  const lines = `${FIND}\nsudo ${command}\n${REFUSED}\n${ALLOWED}\n${REFUSED}`;
  return `- name: ${name}\n  run: |\n${lines.replace(/^(?=.)/gm, '    ')}\n`;
}

let run: WorkflowRun;
beforeAll(async () => {
  const steps = Object.entries(CASES).map(([name, command]) => step(name, command));
  run = await runSteps(
    'stops',
    `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    notify-url: https://hooks.example.com/hook/${SECRET}
    github-token: hunter2-github
- name: secrets
  run: |
    (cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true) | tr '\\0' '\\n' > all
    grep -r . /run/cargowall/ >> all 2>/dev/null || true
    test $(wc -l < all) -gt 50
    ! grep -q 'hunter[2]' all
${steps.join('')}
- name: one of each
  run: |
${FIND.replace(/^(?=.)/gm, '    ')}
    test -n "$keeper" -a $(echo $daemon | wc -w) = 1
`,
  );
}, 180_000);

test.each(Object.keys(CASES))('%s: closed for the job, allowed names are served', (name) => {
  const { code, log } = stepOf(run, name);
  expect(log).toContain('hello from registry.example.com');
  expect(code).toBe(0);
  told.closed('108, 109', `${name}, in the middle of a job`);
});

test('no process the job can look at, and no file of ours it can read, holds the secret', () => {
  expect(stepOf(run, 'secrets').code).toBe(0);
  const said = ['start', 'Post start'].map((name) => stepOf(run, name).log).join('\n');
  const masked = said.replace(/^::add-mask::.*$/gmu, '');
  for (const text of [masked, run.auditLog, run.meta]) expect(text).not.toMatch(/hunter2/u);
  told.closed(121, 'a webhook and a token, in processes, files and logs');
});

test('the runner is served throughout, and all is gone behind its worker', () => {
  expect(serviceFailures(run)).toEqual([]);
  expect(stepOf(run, 'one of each').code).toBe(0);
  expect(run.tornDown).toBe(true);
});

test('the records: each attempt once, each restart, and the lost keeper, for which post fails', () => {
  const records = recordsOf(run);
  const ofType = (type: string) => records.filter(({ event_type: one }) => one === type);
  expect(
    eventsOf(run).filter(({ event_type: type }) => type === 'connection_blocked'),
  ).toHaveLength(8);
  expect(ofType('tamper')).toMatchObject([
    { reason: 'the keeper had been ended; the loader has taken its place' },
  ]);
  // the keeper's place is taken by a new loader, the stopped loader and daemon are replaced
  expect(ofType('daemon_restarted')).toHaveLength(3);
  const { code, log } = stepOf(run, 'Post start');
  expect(code).toBe(1);
  expect(log).toMatch(/^::error::cargowall: tamper: the keeper had been ended/mu);
});
