// Prints "PASSED FAILED" of a Vitest JSON report; a skipped or never executed test is a failure.
import { readFileSync } from 'node:fs';

const [, , name = '', path = ''] = process.argv;
const report = JSON.parse(readFileSync(path, 'utf8')) as {
  numTotalTests: number;
  numPassedTests: number;
  numFailedTestSuites: number;
};
const notPassed = report.numTotalTests - report.numPassedTests;
const empty = report.numPassedTests === 0 ? 1 : 0;
if (empty > 0) console.error(`suite ${name}: no test was executed`);
console.log(`${report.numPassedTests} ${Math.max(notPassed, report.numFailedTestSuites, empty)}`);
