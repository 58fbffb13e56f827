import { expect, test } from 'vitest';
import { proofLine } from '../../src/action/prove.ts';

const GOOD = { what: 'connect to 203.0.113.252', outcome: 'EPERM', expected: 'EPERM' };

test('the proof passes only when every attempt went as expected', () => {
  expect(JSON.parse(proofLine([GOOD]))).toEqual({ proof: 'passed' });
  const through = { ...GOOD, outcome: 'connected' };
  expect(JSON.parse(proofLine([GOOD, through]))).toEqual({
    proof: 'failed',
    why: 'connect to 203.0.113.252: connected, expected EPERM',
  });
});
