// action.yml, the reader of inputs and the README's table must name the same inputs.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { INPUTS } from '../src/edge/github/inputs.ts';

const action = parse(readFileSync('action.yml', 'utf8')) as {
  readonly inputs: Record<string, { readonly default?: string }>;
};
const declared = Object.keys(action.inputs);
const read = INPUTS;
const table = [...readFileSync('README.md', 'utf8').matchAll(/^\| ((?:`[a-z-]+` ?)+)\|/gm)];
const documented = table.flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name),
);

const problems = [
  ...declared.filter((name) => !read.includes(name)).map((name) => `${name}: declared, never read`),
  ...read.filter((name) => !declared.includes(name)).map((name) => `${name}: read, not declared`),
  ...declared
    .filter((name) => !documented.includes(name))
    .map((name) => `${name}: not in the README`),
  ...declared
    .filter((name) => action.inputs[name]?.default === undefined)
    .map((name) => `${name}: no default, so the job's environment could set it`),
];
for (const problem of problems) process.stderr.write(`input ${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
