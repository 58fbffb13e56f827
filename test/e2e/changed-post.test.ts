// A job that changes the action before its post step: what post says is the job's then, what was enforced
// and recorded is not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { isDocumented, Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const told = new Told();
afterAll(() => told.print());

let run: WorkflowRun;
let kept = '';
beforeAll(async () => {
  run = await runSteps(
    'changed',
    `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    notify-url: https://hooks.example.com/hook/x
- name: change
  run: |
    for part in main post daemon; do echo 'console.log("all was quiet");' > dist/$part/index.js; done
    rm -rf dist/bin dist/bpf
    curl -sS --max-time 5 http://198.51.100.20/ && exit 1
    curl -sS --max-time 5 https://registry.example.com/
- name: cover up
  run: |
    log=/run/cargowall/records/audit.jsonl
    for act in ": > $log" "rm $log" "mv $log /tmp" "ln -s /dev/null $log" "echo x >> $log"; do
      sh -c "$act" 2> /dev/null && echo "did: $act"
    done
    cat $log
`,
    { environment: { RUNNER_ENVIRONMENT: 'self-hosted' } },
  );
  kept = stepOf(run, 'cover up').log;
}, 120_000);

test('what was refused stays refused, what is allowed is served, and the log takes no hand but the daemon’s', () => {
  const { code, log } = stepOf(run, 'change');
  expect(log).toContain('hello from registry.example.com');
  expect(code).toBe(0);
  expect(kept).not.toContain('did:');
  const { records } = decodeLog(kept);
  expect(records).toContainEqual(
    expect.objectContaining({ event_type: 'connection_blocked', dst_ip: '198.51.100.20' }),
  );
  told.closed(120, 'an action that is changed: what is enforced and recorded');
});

test('the daemon has told of it before post could have', () => {
  const lines = run.uploads.get('hook.jsonl')?.toString().trim().split('\n') ?? [];
  const messages = lines.map((line): unknown => JSON.parse(line));
  expect(messages).toContainEqual(expect.objectContaining({ ip: '198.51.100.20', port: 80 }));
});

test('post’s words are the job’s: a documented limit', () => {
  expect(stepOf(run, 'Post start').log).toContain('all was quiet');
  expect(run.auditLog).toBe('');
  expect(isDocumented('L13')).toBe(true);
  told.limit(120, 'what a changed post step says', 'L13');
});
