// What a real runner demands: posts of other actions still work after ours, and on a GitHub-hosted
// runner nothing is ever detached.
import { expect, test } from 'vitest';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import type { Lab } from '../lab/lab.ts';
import { runSteps, serviceFailures, stepOf } from '../lab/run-written.ts';

const REFUSED = 'curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7';

test("a later post step's upload passes the wall, and the job is still guarded then", async () => {
  const run = await runSteps(
    'later',
    `
- name: cache
  uses: ./test/lab/later-post
- name: guard
  uses: ./
- name: job
  run: ${REFUSED}
`,
  );
  expect(run.steps.map(({ name }) => name)).toEqual([
    'cache',
    'guard',
    'job',
    'Post guard',
    'Post cache',
  ]);
  expect(stepOf(run, 'Post cache').log).toContain('uploaded 201');
  expect(run.uploads.get('later.txt')?.toString()).toBe('from a later post step');
  expect(serviceFailures(run)).toEqual([]);
  expect(run.tornDown).toBe(true);
}, 120_000);

test('on a GitHub-hosted runner nothing is detached when the worker has exited', async () => {
  let after = '';
  const run = await runSteps(
    'hosted',
    `
- name: guard
  uses: ./
`,
    {
      environment: { RUNNER_ENVIRONMENT: 'github-hosted' },
      onExit: (lab: Lab) => {
        const connect = 'curl -sS --max-time 5 http://198.51.100.20/; echo code $?';
        const seal = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"status"}\\n'); print(s.recv(65536).decode())
`;
        after = lab.run('sh', '-c', connect).stdout;
        after += lab.run('/usr/bin/python3', '-c', seal).stdout;
      },
    },
  );
  expect(stepOf(run, 'guard').outputs['enforcing']).toBe('true');
  expect(after).toContain('code 7');
  expect(after).toContain('"running":true');
}, 120_000);

test('without a start there is nothing to report, and post succeeds', async () => {
  const run = await runSteps(
    'nostart',
    `
- name: guard
  continue-on-error: true
  uses: ./
  with:
    mode: nonsense
`,
  );
  const post = stepOf(run, 'Post guard');
  expect(post.code).toBe(0);
  expect(post.log).toContain('cargowall did not start in this job');
}, 120_000);

test('a policy file is united with the inputs, and debug says what the daemon does', async () => {
  const policy = `version: 1
rules:
  - host: registry.example.com
    ports: [443]
    reason: packages
  - cidr: 198.51.100.0/24
    ports: [80]
  - cidr: 198.51.100.20
    action: deny
`;
  const run = await runSteps(
    'policy',
    `
- name: guard
  uses: ./
  with:
    config-file: policy.yml
    allowed-hosts: mirror.example.com:443
    github-service-hosts: none
    debug: true
- name: allowed by the file, by the input and by the prefix
  run: |
    curl -sS --max-time 5 https://registry.example.com/
    curl -sS --max-time 5 https://mirror.example.com/
    curl -sS --max-time 5 http://198.51.100.11/
- name: denied inside the prefix
  run: ${REFUSED}
- name: GitHub is off for steps
  run: curl -sS --max-time 5 https://api.github.com/ && exit 1 || test $? = 6
`,
    { workspace: new Map([['policy.yml', policy]]) },
  );
  expect(run.steps.map(({ name, code }) => [name, code])).toEqual(
    run.steps.map(({ name }) => [name, 0]),
  );
  expect(stepOf(run, 'guard').log).toMatch(/debug: \d+ policy entries are in the kernel/);
  const { records } = decodeLog(run.auditLog);
  expect(records[0]).toMatchObject({
    policy_file: 'policy.yml',
    policy_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const denied = records.filter((one) => 'matched_rule' in one && one.blocked);
  expect(denied[0]).toMatchObject({ dst_ip: '198.51.100.20', matched_rule: '198.51.100.20' });
  expect(serviceFailures(run)).toEqual([]);
}, 120_000);
