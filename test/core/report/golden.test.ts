import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeLog } from '../../../src/core/audit/jsonl.ts';
import { aggregate } from '../../../src/core/report/aggregate.ts';
import { renderSummary } from '../../../src/core/report/job-summary.ts';

const FOLDER = new URL('../../golden/', import.meta.url);
const LOGS = readdirSync(FOLDER).filter((name) => name.endsWith('.audit.jsonl'));

describe('the summary of a whole log', () => {
  test.each(LOGS)('%s', async (name) => {
    const report = aggregate(decodeLog(readFileSync(new URL(name, FOLDER), 'utf8')));
    const mode = name.startsWith('audit') ? 'audit' : 'enforce';
    const summary = renderSummary(report, {
      mode,
      enforcing: mode === 'enforce',
      isLockedDown: false,
      artifactName: 'cargowall-build-0-1-1',
      problems: [],
    });
    const golden = new URL(name.replace('.audit.jsonl', '.summary.md'), FOLDER);
    await expect(summary).toMatchFileSnapshot(golden.pathname);
  });
});
