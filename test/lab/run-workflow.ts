// node test/lab/run-workflow.ts WORKFLOW --out FOLDER [--dist DIST]: runs a workflow in the lab,
// prints the step log and the summary, and leaves summary, log and artifact in FOLDER.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runWorkflow } from './harness.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, dist: { type: 'string' } },
});
const [workflow = 'examples/lockdown.yml'] = positionals;
const out = values.out ?? 'demo-out';
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const run = await runWorkflow({
  id: 'demo',
  workflow,
  dist: values.dist ?? 'dist',
  onOutput: (text) => process.stdout.write(text),
});
const summary = run.steps.map((step) => step.summary).join('');
writeFileSync(join(out, 'summary.md'), summary);
writeFileSync(join(out, 'audit.jsonl'), run.auditLog);
writeFileSync(join(out, 'meta.json'), run.meta);
for (const [name, content] of run.uploads) writeFileSync(join(out, name), content);
process.stdout.write(`\n${'='.repeat(72)}\nSummary (${join(out, 'summary.md')}):\n\n${summary}\n`);
const { renewals, pings, uploads } = run.service;
process.stdout.write(
  `runner: ${renewals.ok} renewals, ${pings.ok} pings, ${uploads.ok} uploads; failed: ${renewals.failed.length + pings.failed.length + uploads.failed.length}\n`,
);
const failures = [...renewals.failed, ...pings.failed, ...uploads.failed];
if (!run.uploads.has('artifact.zip')) failures.push('no artifact was uploaded');
if (!run.tornDown) failures.push('the loader did not tear down');
if (run.code !== 0) failures.push(`the job ended with ${run.code}`);
for (const failure of failures) process.stderr.write(`failed: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
