import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sanitise } from '../../../src/core/report/sanitise.ts';

test('no text keeps a workflow command, a control or an invisible character', () => {
  const piece = fc.constantFrom(':', '#', '[', '\u200b', '\u202e', '\n', '\u001b', 'a');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      expect(sanitise(pieces.join(''))).not.toMatch(/::|##\[|[\p{Cc}\p{Cf}]/u);
    }),
  );
});
