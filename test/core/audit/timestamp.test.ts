import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTimestamp } from '../../../src/core/audit/timestamp.ts';

test('nine digits and Z', () => {
  expect(formatTimestamp(1_795_479_425_000_000_042n)).toMatch(/^2026-.*\.000000042Z$/);
});

test('the same calendar as Date', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      const expected = new Date(ms).toISOString().replace('Z', '000000Z');
      expect(formatTimestamp(BigInt(ms) * 1_000_000n)).toBe(expected);
    }),
  );
});
