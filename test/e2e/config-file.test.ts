// A policy file is read once: what the job makes of it later changes nothing.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { recordsOf, runSteps, stepOf } from '../lab/run-written.ts';

const told = new Told();
afterAll(() => told.print());

const POLICY = 'version: 1\nrules:\n  - host: registry.example.com\n    ports: [443]\n';

describe('a policy file', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'file',
      `
- name: start
  uses: ./
  with:
    config-file: policy.yml
- name: allowed
  run: curl -sS --max-time 5 https://registry.example.com/
- name: changed
  run: |
    printf 'version: 1\\ndefault: allow\\nrules: []\\n' > policy.yml
- name: refused
  run: |
    curl -sS --max-time 5 https://evil.example.net/ && exit 1 || test $? = 6
    curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || test $? = 7
`,
      { workspace: new Map([['policy.yml', POLICY]]) },
    );
  }, 120_000);

  test('decides, and a later change of it decides nothing', () => {
    expect(stepOf(run, 'allowed').log).toContain('hello from registry');
    expect(stepOf(run, 'changed').code).toBe(0);
    expect(stepOf(run, 'refused').code).toBe(0);
    told.closed(123, 'a policy file that is changed after the start');
  });

  test('is named by its hash in record and summary', () => {
    const hash = createHash('sha256').update(POLICY).digest('hex');
    const [started] = recordsOf(run);
    expect(started).toMatchObject({ policy_file: 'policy.yml', policy_sha256: hash });
    expect(stepOf(run, 'Post start').summary).toContain(hash.slice(0, 16));
  });
});
