// An earlier step writes what it likes into the environment of the steps behind it: what main and
// post do with it, and that nobody's word but the daemon's makes the log.
import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, recordsOf, runSteps, stepOf } from '../lab/run-written.ts';

const STATE = JSON.stringify({
  mode: 'audit',
  pid: 1,
  enforcing: false,
  artifactName: '',
  retentionDays: '',
  summary: true,
  failOnBlock: false,
  isLockedDown: true,
});

describe('a forged environment', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'forged',
      `
- name: forge
  run: |
    mkdir -p /tmp/evil
    for name in sudo node true id; do
      printf '#!/bin/sh\\necho $0 >> /tmp/evil/ran\\n' > /tmp/evil/$name
      chmod +x /tmp/evil/$name
    done
    {
      echo "PATH=/tmp/evil:$PATH"
      echo "LD_PRELOAD=/tmp/evil/none.so"
      echo "INPUT_ALLOWED-HOSTS=evil.example.net"
      echo "INPUT_MODE=audit"
      echo "ACTIONS_CACHE_URL=https://evil.example.net/"
      echo "CARGOWALL_CLOUD_PROVIDER=azure"
      echo 'STATE_session=${STATE}'
    } >> "$GITHUB_ENV"
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
- name: try
  run: |
    /usr/bin/curl -sS --max-time 5 https://evil.example.net/ && exit 1
    /usr/bin/curl -sS --max-time 5 https://registry.example.com/ > /dev/null
- name: another post
  run: RUNNER_TEMP=/tmp/evil STATE_session='${STATE}' "$HOME/node" dist/post/index.js
- name: still closed
  run: |
    /usr/bin/curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || true
    test ! -e /tmp/evil/ran
`,
    );
  }, 120_000);

  test('main enforces the inputs of the workflow, with the programs of the machine', () => {
    const { outputs, log } = stepOf(run, 'start');
    expect(outputs).toMatchObject({ enforcing: 'true', mode: 'enforce' });
    expect(log).toContain('https://evil.example.net/ is left out of the auto-allowed hosts');
    expect(stepOf(run, 'try').code).toBe(0);
    expect(stepOf(run, 'still closed').code).toBe(0);
    const [started] = recordsOf(run);
    expect(started).toMatchObject({ event_type: 'session_started', mode: 'enforce' });
    expect(started).not.toHaveProperty('cloud');
  });

  test('a post that somebody else runs ends nothing, and is seen in the log', () => {
    expect(stepOf(run, 'another post').code).toBe(0);
    const records = recordsOf(run);
    const seals = records.flatMap(({ event_type: type }, at) =>
      type === 'session_ended' ? [at] : [],
    );
    expect(seals).toHaveLength(2);
    const later = records.slice(seals[0]).filter((record) => record.blocked);
    expect(later).toEqual([expect.objectContaining({ dst_ip: '198.51.100.20' })]);
  });

  test('the report of the action is the daemon’s, whatever state was forged', () => {
    const { summary, code } = stepOf(run, 'Post start');
    expect(code).toBe(0);
    expect(summary).toContain('cargowall enforced the policy: 2 destinations blocked');
    const refused = eventsOf(run).filter(({ blocked }) => blocked);
    expect(new Set(refused.map(({ dst_hostname: name, dst_ip: to }) => name ?? to))).toEqual(
      new Set(['evil.example.net', '198.51.100.20']),
    );
  });
});
