import { beforeAll, describe, expect, test } from 'vitest';
import { schemaFaults } from '../lab/audit-schema.ts';
import { runWorkflow, type WorkflowRun } from '../lab/harness.ts';
import { eventsOf, recordsOf, serviceFailures, stepOf } from '../lab/run-written.ts';

describe('examples/lockdown.yml', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runWorkflow({ id: 'e2e', workflow: 'examples/lockdown.yml', dist: 'build/dist' });
  }, 120_000);

  test('main is green, says so in its outputs, and ends with its pipes', () => {
    const main = stepOf(run, 'Lock the job down');
    expect(main.code).toBe(0);
    expect(main.outputs).toMatchObject({ supported: 'true', enforcing: 'true', mode: 'enforce' });
    expect(Number(main.outputs['pid'])).toBeGreaterThan(1);
    expect(main.outputs['audit-log']).toBe('/run/cargowall/records/audit.jsonl');
    expect(main.pipesMs).toBeLessThan(1000);
  });

  test('main says what the runner has and what its kernel has taken', () => {
    const { log } = stepOf(run, 'Lock the job down');
    expect(log).toMatch(/kernel: \d+\.\d+.*\n.*processor: (x64|arm64)\n/);
    expect(log).toContain('container job or slim image: no');
    expect(log).toContain('kernel types (BTF): yes');
    expect(log).toContain('hooks: 13 of the cgroup, 4 tracepoints');
    expect(log).toMatch(/packet, XDP and vsock sockets of the job: (?:refused|told)/);
    expect(log).toMatch(/wall: \S+ by TCX/);
  });

  test('main says all that each rule opens', () => {
    const { log } = stepOf(run, 'Lock the job down');
    expect(log).toContain(
      'allow registry.example.com and every name below it, port 443 of TCP and UDP (input allowed-hosts)',
    );
    expect(log).toContain('allow 198.51.100.11, port 80 of TCP and UDP (input allowed-cidrs)');
  });

  test('an allowed name passes over both families', () => {
    expect(stepOf(run, 'Install from the registry (allowed)').log).toContain('hello from registry');
    expect(stepOf(run, 'The same over IPv6 (allowed)').log).toContain('hello from registry');
    const allowed = eventsOf(run).filter(
      ({ event_type: type, dst_hostname: host }) =>
        type === 'connection_allowed' && host === 'registry.example.com',
    );
    expect(allowed.map(({ process, matched_rule: rule }) => [process, rule])).toEqual([
      ['curl', 'registry.example.com'],
      ['curl', 'registry.example.com'],
    ]);
    expect(allowed.map(({ dst_ip: address }) => address)).toContain('2001:db8:1::10');
  });

  test('a refused name is REFUSED, recorded with its asker, and no packet leaves', () => {
    expect(stepOf(run, 'A dependency phones home by name (refused)').code).toBe(6);
    const blocked = eventsOf(run).filter(({ dst_hostname: host }) => host === 'evil.example.net');
    expect(blocked.length).toBeGreaterThan(0);
    for (const event of blocked) {
      expect(event).toMatchObject({ event_type: 'dns_blocked', process: 'curl', blocked: true });
      expect(event.origin).toBe('job');
    }
    expect(run.heard.filter((line) => line.includes('evil'))).toEqual([]);
  });

  test('a refused address is refused at once, and has one record', () => {
    const step = stepOf(run, 'It tries a bare address (refused)');
    expect(step.code).toBe(7);
    const blocked = eventsOf(run).filter(({ event_type: type }) => type === 'connection_blocked');
    expect(blocked).toHaveLength(1);
    expect(blocked[0]).toMatchObject({
      dst_ip: '198.51.100.20',
      dst_port: 80,
      protocol: 'TCP',
      process: 'curl',
      origin: 'job',
      would_deny: false,
      blocked: true,
    });
  });

  test('a hard-coded resolver is answered by ours', () => {
    expect(stepOf(run, 'It tries another resolver (refused)').log).toContain('REFUSED');
  });

  test('the runner is served through the wall, its last upload after post included', () => {
    expect(serviceFailures(run)).toEqual([]);
    expect(run.service.renewals.ok).toBeGreaterThan(1);
    expect([...run.uploads.keys()]).toEqual(
      expect.arrayContaining(['job.log', 'step-1.log', 'artifact.zip']),
    );
  });

  test('the summary says what was blocked, by whom, and which rule would allow it', () => {
    const { summary } = stepOf(run, 'Post Lock the job down');
    expect(summary).toContain('cargowall enforced the policy: 3 destinations blocked');
    for (const text of ['198.51.100.20:80', 'evil.example.net', 'curl', '=evil.example.net:443']) {
      expect(summary).toContain(text);
    }
    expect(summary).not.toContain('could be kept');
  });

  test('the log starts with the session, ends with its totals, and lost nothing', () => {
    const records = recordsOf(run);
    expect(records[0]?.event_type).toBe('session_started');
    const ended = records.find(({ event_type: type }) => type === 'session_ended');
    expect(ended).toMatchObject({ mode: 'enforce', totals: { connection_blocked: 1 } });
    if (ended?.event_type !== 'session_ended') throw new Error('no totals');
    expect(Object.values(ended.lost).filter((number) => number > 0)).toEqual([]);
  });

  test('every record is what the shipped schema says', () => {
    expect(schemaFaults(run.auditLog)).toEqual([]);
  });

  test('after the worker has exited nothing is left', () => {
    expect(run.tornDown).toBe(true);
    expect(run.code).toBe(0);
  });
});
