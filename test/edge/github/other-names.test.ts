// Input names people bring along: what the action says, and docs/migration.md, which must agree.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { INPUTS, readInputs } from '../../../src/edge/github/inputs.ts';
import {
  hintFor,
  type OtherName,
  PEER_NAMES,
  REFERENCE_NAMES,
} from '../../../src/edge/github/other-names.ts';

/** The reference implementation's inputs. */
const REFERENCE_INPUTS = [
  ...['mode', 'allowed-hosts', 'allowed-cidrs', 'search-domains', 'github-service-hosts'],
  ...['azure-infra-hosts', 'config-file', 'fail-on-unsupported', 'sudo-lockdown'],
  ...['sudo-allow-commands', 'dns-upstream', 'allow-existing-connections', 'binary-path', 'debug'],
  ...['audit-summary', 'skip-actions-api', 'github-token', 'api-url', 'offline', 'job-id'],
];
const text = readFileSync('docs/migration.md', 'utf8');

/** First and second column of the table behind a title. */
function table(title: string): ReadonlyMap<string, string> {
  const behind = text.slice(text.indexOf(`\n${title}\n`));
  const rows = behind.split('\n').filter((line) => line.startsWith('| '));
  const start = rows.findIndex((line) => line.startsWith('| input there'));
  const own: [string, string][] = [];
  for (const line of rows.slice(start + 1)) {
    const [, name = '', here = ''] = /^\| `([^`]+)` \| (?:`([^`]+)`|–) \|/u.exec(line) ?? [];
    if (name === '') break;
    own.push([name, here]);
  }
  return new Map(own);
}

const rowsOf = (names: Readonly<Record<string, OtherName>>) =>
  Object.entries(names).map(([name, { input }]) => [name, input ?? ''] as const);

test('docs/migration.md has every input of the reference implementation', () => {
  const own = REFERENCE_INPUTS.filter((name) => !Object.hasOwn(REFERENCE_NAMES, name));
  const expected = [...own.map((name) => [name, name] as const), ...rowsOf(REFERENCE_NAMES)];
  expect(table('### Inputs')).toEqual(new Map(expected));
  for (const name of own) expect(INPUTS).toContain(name);
});

test('docs/migration.md has every name of other actions', () => {
  expect(table('## From other actions')).toEqual(new Map(rowsOf(PEER_NAMES)));
});

describe('an input of another action is an error that says what to write', () => {
  test.each(rowsOf({ ...REFERENCE_NAMES, ...PEER_NAMES }))('%s', (name, input) => {
    const [said] = readInputs({ [`INPUT_${name.toUpperCase()}`]: 'x' }).errors;
    expect(said).toContain(`input ${name}: unknown. ${hintFor(name)}`);
    if (input === '') expect(said).toContain('Remove it');
    else expect(said).toContain(`Did you mean "${input}"?`);
  });

  test.each([
    ['fail-on-unsuported', 'Did you mean "on-unsupported"? Its values are fail and warn'],
    ['allowed-endpoint', 'Did you mean "allowed-hosts"?'],
    ['disable_telemetri', 'Remove it: there is no telemetry'],
    ['alowed-hosts', 'Did you mean "allowed-hosts"?'],
    ['no-such-thing-anywhere', 'Remove it, or write one of mode, allowed-hosts'],
  ])('%s, misspelt', (name, words) => {
    const [said] = readInputs({ [`INPUT_${name.toUpperCase()}`]: 'x' }).errors;
    expect(said).toContain(`input ${name}: unknown. ${words}`);
  });

  test('spelled with underscores too', () => {
    const [said] = readInputs({ INPUT_ALLOWED_ENDPOINTS: 'x' }).errors;
    expect(said).toContain('"allowed-hosts"');
  });
});
