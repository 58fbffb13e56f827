// The schema of the audit log that ships, as a check of whole logs.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const accepts = new Ajv2020({ allErrors: true }).compile(
  JSON.parse(readFileSync('docs/audit.schema.json', 'utf8')),
);

/** The lines of a log that the schema refuses, each with why. */
export function schemaFaults(log: string): readonly string[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      if (accepts(JSON.parse(line))) return [];
      const why = (accepts.errors ?? []).map(
        ({ instancePath, message }) => `${instancePath} ${message}`,
      );
      return [`${line}: ${why.join('; ')}`];
    });
}
