import { expect, test } from 'vitest';
import { parseSavedSession } from '../../src/action/session-files.ts';

const SAVED = {
  mode: 'enforce',
  pid: 7,
  enforcing: true,
  artifactName: 'log',
  retentionDays: '',
  summary: true,
  failOnBlock: false,
  isLockedDown: false,
};

test('reads what main saved', () => {
  expect(parseSavedSession(JSON.stringify(SAVED))).toEqual(SAVED);
});

test('no state is no start', () => {
  expect(parseSavedSession('')).toBeUndefined();
});

test.each(['{', '[]', 'null', '7', JSON.stringify({ ...SAVED, pid: '7' })])(
  '%s is an error, never "did not start"',
  (text) => {
    expect(() => parseSavedSession(text)).toThrow('The kernel goes on enforcing');
  },
);
