import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consoleJson } from '../../../src/core/audit/console-json.ts';

test('JSON for a console has the same value and no command', () => {
  const pieces = fc.array(fc.constantFrom('#', '##', '[', '\\', '"', 'error]', '\u200b'));
  fc.assert(
    fc.property(pieces, (some) => {
      const text = some.join('');
      const json = consoleJson({ [text]: [text] });
      expect(JSON.parse(json)).toEqual({ [text]: [text] });
      expect(json).not.toContain('##[');
    }),
  );
});
