// Prints "PASSED FAILED" of a Vitest JSON report, and a line for each test or file that failed to the standard
// error; a skipped or never executed test is a failure.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** Characters of a failure's first line that are shown. */
const SHOWN = 240;

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const [, , name = '', path = ''] = process.argv;
const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
let passed = 0;
let failed = 0;

function tell(where: string, why: string): void {
  failed++;
  console.error(`failed: ${where}: ${(why.split('\n')[0] ?? '').slice(0, SHOWN)}`);
}

for (const file of report.testResults) {
  const where = relative('.', file.name);
  const bad = file.assertionResults.filter((test) => test.status !== 'passed');
  passed += file.assertionResults.length - bad.length;
  for (const test of bad)
    tell(`${where}: ${test.fullName}`, test.failureMessages[0] ?? test.status);
  if (file.status !== 'passed' && (bad.length === 0 || file.message !== ''))
    tell(where, file.message);
}
if (passed === 0) tell(`suite ${name}`, 'no test was executed');
console.log(`${passed} ${failed}`);
