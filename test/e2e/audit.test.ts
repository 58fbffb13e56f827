import { beforeAll, describe, expect, test } from 'vitest';
import { schemaFaults } from '../lab/audit-schema.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, runSteps, serviceFailures, stepOf } from '../lab/run-written.ts';

describe('mode audit', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'audit',
      `
- name: start
  uses: ./
  with:
    mode: audit
    allowed-hosts: registry.example.com:443
- name: name
  run: curl -sS --max-time 5 https://evil.example.net/
- name: address
  run: curl -sS --max-time 5 http://198.51.100.20/
- name: answer
  run: dig +short evil.example.net TXT @192.0.2.53; dig evil.example.net @8.8.8.8 +short
`,
    );
  }, 120_000);

  test('everything passes, and enforcing is never claimed', () => {
    expect(stepOf(run, 'start').outputs).toMatchObject({ enforcing: 'false', mode: 'audit' });
    expect(stepOf(run, 'name').log).toContain('hello from evil.example.net');
    expect(stepOf(run, 'address').log).toContain('hello from 198.51.100.20');
    expect(stepOf(run, 'answer').log).toContain('198.51.100.20');
    expect(run.code).toBe(0);
    expect(serviceFailures(run)).toEqual([]);
  });

  test('every refusal-to-be has a record with would_deny', () => {
    const wouldDeny = eventsOf(run).filter(({ would_deny: would }) => would);
    const kinds = new Set(wouldDeny.map(({ event_type: type, process }) => `${type} ${process}`));
    expect(kinds).toContain('connection_blocked curl');
    expect(kinds).toContain('dns_blocked curl');
    expect(eventsOf(run).filter(({ blocked }) => blocked)).toEqual([]);
    const addresses = wouldDeny.filter(({ event_type: type }) => type === 'connection_blocked');
    expect(addresses.map(({ dst_port: port }) => port).sort()).toEqual([443, 80]);
  });

  test('every record is what the shipped schema says', () => {
    expect(schemaFaults(run.auditLog)).toEqual([]);
  });

  test('the summary says that nothing was refused', () => {
    expect(stepOf(run, 'Post start').summary).toContain('refused nothing (mode audit)');
  });
});
