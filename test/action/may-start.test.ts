import { expect, test } from 'vitest';
import { type Findings, mayStart } from '../../src/action/may-start.ts';

const WELL: Findings = { inputErrors: [], missing: [], machineErrors: [], damage: [] };
const resolver = 'no resolver besides this machine itself';

test('nothing in the way: yes', () => {
  expect(mayStart(WELL)).toEqual({ kind: 'yes' });
});

test('a machine that can not be guarded is asked about, whatever else it lacks', () => {
  const missing = ['container job: yes'];
  expect(mayStart({ ...WELL, missing, machineErrors: [resolver], damage: ['x'] })).toEqual({
    kind: 'unsupported',
    reasons: missing,
  });
});

test('a wrong input fails on any machine', () => {
  const findings = { ...WELL, inputErrors: ['input mode'], machineErrors: [resolver] };
  expect(mayStart({ ...findings, missing: ['root: no'] })).toEqual({
    kind: 'no',
    errors: ['input mode'],
  });
  expect(mayStart(findings)).toEqual({ kind: 'no', errors: ['input mode', resolver] });
});

test('what a capable machine lacks and damage are said together', () => {
  expect(mayStart({ ...WELL, machineErrors: [resolver], damage: ['daemon'] })).toEqual({
    kind: 'no',
    errors: [resolver, 'daemon'],
  });
});
