// The inputs a runner sets where a workflow says nothing: node inputs.ts prints NAME=VALUE lines.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const { inputs } = parse(readFileSync('action.yml', 'utf8')) as {
  readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
};
for (const [name, { default: value = '' }] of Object.entries(inputs)) {
  const text = value.includes('${{') ? '' : value;
  process.stdout.write(`INPUT_${name.toUpperCase()}=${text}\n`);
}
