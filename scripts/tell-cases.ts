// Prints what became of each case, one line for each outcome, from the lines the suites have kept in FILE
// (test/bypass/told.ts). A case nobody tells of is a failure.
import { readFileSync } from 'node:fs';
import { ROWS } from '../test/bypass/rows.ts';

const LINE =
  /^case (\d+(?:, \d+)*), (.*): (closed|documented limit L\d+|n\/a on this kernel: .*)$/u;
const [, , path = ''] = process.argv;
const outcomes = new Map<number, Map<string, number>>();
const strange: string[] = [];

for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
  const [, numbers = '', , outcome = ''] = LINE.exec(line) ?? [];
  if (numbers === '') strange.push(line);
  for (const number of numbers.split(', ').filter(Boolean).map(Number)) {
    const of = outcomes.get(number) ?? new Map<string, number>();
    outcomes.set(number, of.set(outcome, (of.get(outcome) ?? 0) + 1));
    if (!(number in ROWS)) strange.push(line);
  }
}

let untold = 0;
for (const [number, what] of Object.entries(ROWS)) {
  const of = outcomes.get(Number(number));
  if (of === undefined) {
    untold += 1;
    console.log(`case ${number}, ${what}: NOBODY HAS TOLD OF IT`);
  }
  for (const [outcome, count] of of ?? []) {
    console.log(`case ${number}, ${what}: ${outcome} (${count} tried)`);
  }
}
for (const line of strange) console.log(`no case of the table: ${line}`);
process.exitCode = untold + strange.length > 0 ? 1 : 0;
