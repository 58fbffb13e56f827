import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consoleLine, sanitise } from '../../../src/core/report/sanitise.ts';

test('no text keeps a workflow command, a control or an invisible character', () => {
  const piece = fc.constantFrom(':', '#', '[', '\u200b', '\u202e', '\n', '\u001b', 'a');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      expect(sanitise(pieces.join(''))).not.toMatch(/::|##\[|[\p{Cc}\p{Cf}]/u);
    }),
  );
});

test('no line for the console is a command, and addresses stay as they are', () => {
  expect(consoleLine(' ::set-output name=a::b\nmore')).toBe(': :set-output name=a::b more');
  expect(consoleLine('a ##[error]b')).toBe('a # #[error]b');
  expect(consoleLine('connect to 2001:db8::1\u001b[0m')).toBe('connect to 2001:db8::1[0m');
});
