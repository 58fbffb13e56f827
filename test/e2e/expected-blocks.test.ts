import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, runSteps, stepOf } from '../lab/run-written.ts';

const STEPS = (more: string) => `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    fail-on-block: true
    expected-blocks: |
      evil.example.net        # by name
      198.51.100.20:80/tcp    # by address
- name: noise
  continue-on-error: true
  run: |
    curl -sS --max-time 5 https://evil.example.net/ || true
    curl -sS --max-time 5 http://198.51.100.20/
${more}`;

describe('fail-on-block, where only expected-blocks were refused', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps('known', STEPS(''));
  }, 120_000);

  test('the records are marked, and the refusals stand', () => {
    const blocked = eventsOf(run).filter((event) => event.blocked);
    const kinds = new Set(blocked.map(({ event_type: type, expected }) => `${type} ${expected}`));
    expect(kinds).toEqual(new Set(['dns_blocked true', 'connection_blocked true']));
  });

  test('the summary shows them apart and counts no block', () => {
    const { summary } = stepOf(run, 'Post start');
    expect(summary).toContain('nothing was blocked');
    expect(summary).toContain('### Expected blocks');
    expect(summary).not.toContain('### Blocked');
  });

  test('nothing fails', () => {
    expect(stepOf(run, 'Post start').code).toBe(0);
    expect(run.code).toBe(0);
  });
});

describe('fail-on-block, where something else was refused', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    const other =
      '- name: other\n  continue-on-error: true\n  run: curl -sS --max-time 5 https://198.51.100.20/\n';
    run = await runSteps('unknown', STEPS(other));
  }, 120_000);

  test('the post step fails and says how often, and what to do', () => {
    const post = stepOf(run, 'Post start');
    expect(post.code).not.toBe(0);
    expect(post.log).toContain('refused 1 attempt that expected-blocks does not list');
    expect(run.code).not.toBe(0);
  });

  test('the summary names it', () => {
    const { summary } = stepOf(run, 'Post start');
    expect(summary).toContain('1 destination blocked');
    expect(summary).toContain('198.51.100.20:443');
  });
});
