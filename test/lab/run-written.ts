// A workflow written in a test, run in the lab with what scripts/build has built.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent, AuditRecord } from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { type RunWishes, resultIn, runJob, runWorkflow, type WorkflowRun } from './harness.ts';
import type { Lab } from './lab.ts';
import type { RunResult } from './runner/plan.ts';

/** Runs the steps of a workflow given as YAML, without their `jobs:` frame. */
export function runSteps(
  id: string,
  steps: string,
  wishes: Partial<RunWishes> = {},
): Promise<WorkflowRun> {
  return written(steps, (workflow) => runWorkflow({ id, workflow, dist: 'build/dist', ...wishes }));
}

/** Runs another job's steps on the machine of one that has ended. */
export function runNextSteps(lab: Lab, steps: string): Promise<RunResult> {
  return written(steps, async (workflow) => {
    await runJob(lab, { workflow });
    return resultIn(lab);
  });
}

async function written<T>(steps: string, run: (workflow: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-workflow-'));
  const path = join(folder, 'workflow.yml');
  const indented = steps.replace(/^(?=.)/gm, '      ');
  writeFileSync(
    path,
    `name: test\non: push\njobs:\n  build:\n    runs-on: self-hosted\n    steps:\n${indented}`,
  );
  try {
    return await run(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The records of a run; a line that can't be read is a failure. */
export function recordsOf(run: WorkflowRun): readonly AuditRecord[] {
  const { records, badLines } = decodeLog(run.auditLog);
  if (badLines.length > 0) throw new Error(`unreadable lines of the log: ${badLines.join(', ')}`);
  return records;
}

/** The events of the job's and the runner's traffic, proof left out. */
export function eventsOf(run: WorkflowRun): readonly AuditEvent[] {
  return recordsOf(run).filter(
    (record): record is AuditEvent =>
      ![
        'session_started',
        'session_ended',
        'tamper',
        'daemon_restarted',
        'dns_upstream_down',
        'dns_unusual',
      ].includes(record.event_type) && !('reason' in record && record.reason === 'proof'),
  );
}

/** A step's result by name. */
export function stepOf(run: WorkflowRun, name: string) {
  const step = run.steps.find((one) => one.name === name);
  if (step === undefined) throw new Error(`no step "${name}"`);
  return step;
}

/** What failed of the runner's talk with its service; nothing in a good run. */
export function serviceFailures(run: WorkflowRun): readonly string[] {
  const { renewals, pings, uploads } = run.service;
  return [...renewals.failed, ...pings.failed, ...uploads.failed];
}
