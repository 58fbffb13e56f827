import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { INPUTS, readInputs } from '../../../src/edge/github/inputs.ts';

const action = parse(readFileSync('action.yml', 'utf8'));

function environment(changes: Record<string, string>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of Object.keys(action.inputs)) {
    values[`INPUT_${name.toUpperCase()}`] = action.inputs[name].default;
  }
  return { ...values, ...changes };
}

test('action.yml declares what the reader reads', () => {
  expect(Object.keys(action.inputs)).toEqual(INPUTS);
});

test('the defaults of action.yml are accepted', () => {
  expect(readInputs(environment({}))).toMatchObject({
    errors: [],
    inputs: { mode: 'enforce', onUnsupported: 'fail', summary: true, debug: false },
  });
});

test.each([
  ['INPUT_FAIL-ON-UNSUPPORTED', 'true', 'Did you mean "on-unsupported"?'],
  ['INPUT_AUDIT-SUMMARY', 'true', 'Did you mean "summary"?'],
  ['INPUT_ALOWED-HOSTS', 'a.example', 'Did you mean "allowed-hosts"?'],
  ['INPUT_DEBUG', 'yes', 'expected true or false'],
  ['INPUT_MODE', 'block', 'expected enforce or audit'],
  ['INPUT_ON-UNSUPPORTED', 'skip', 'expected fail or warn'],
  ['INPUT_SUDO-LOCKDOWN', 'on', 'expected true or false'],
])('%s=%s is an error', (key, value, message) => {
  expect(readInputs(environment({ [key]: value })).errors).toEqual([
    expect.stringContaining(message),
  ]);
});

test('every wrong input is reported at once, unknown ones first, then in the order of action.yml', () => {
  const wrong = { INPUT_MODE: 'block', 'INPUT_ON-UNSUPPORTED': 'skip', INPUT_DEBUG: 'yes' };
  const more = { 'INPUT_NO-SUCH': 'x', 'INPUT_FAIL-ON-BLOCK': '' };
  const { inputs, errors } = readInputs(environment({ ...wrong, ...more }));
  const named = ['no-such', 'mode', 'on-unsupported', 'fail-on-block', 'debug'];
  expect(errors.map((error) => error.split(/[ :]/u)[1])).toEqual(named);
  expect(inputs).toMatchObject({ mode: 'enforce', onUnsupported: 'fail' });
});
