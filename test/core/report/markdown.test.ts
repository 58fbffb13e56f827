// What a cell may be made of, asked of a CommonMark renderer and of the text behind the entities.
import fc from 'fast-check';
import { marked } from 'marked';
import { expect, test } from 'vitest';
import { cell, code, table } from '../../../src/core/report/markdown.ts';

const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 4 }),
      fc.constantFrom(
        ...[
          '|',
          '\\',
          '`',
          '``',
          '~~~',
          '<',
          '>',
          '<!--',
          '-->',
          '</code>',
          '</td>',
          '<img src=x>',
        ],
        ...[
          '[x](http://e)',
          '![x](y)',
          '&lt;',
          '&#60;',
          '&',
          '\n',
          '\n\n',
          '\r',
          '***',
          '__',
          '# ',
        ],
        ...['http://e.test', 'https:', '//', 'www', '.', 'WwW.', 'a@b.test', '@', 'mailto:', '$x$'],
        ...[
          '@octocat',
          '#1',
          'GH-1',
          '- ',
          '1. ',
          '    ',
          '|---|',
          '[^1]',
          '[x]: y',
          '\\|',
          '"',
          "'",
        ],
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

const OWN = /^<\/?(?:table|thead|tbody|tr|th|td|code|wbr|p)>$/u;

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

function decoded(html: string): string {
  return html.replace(/&(?:#(\d+)|(lt|gt|amp|quot));/gu, (_, point?: string, name?: string) =>
    point === undefined ? (NAMED[name ?? ''] ?? '') : String.fromCodePoint(Number(point)),
  );
}

test('no hostile cell makes an element, a link, a further cell or a further row', () => {
  fc.assert(
    fc.property(hostile, hostile, (one, other) => {
      const markdown = table(['a', 'b'], [[cell(one), code(other)]]);
      const html = marked.parse(markdown, { gfm: true, async: false });
      for (const [tag] of html.matchAll(/<[^>]*>/gu)) expect(tag).toMatch(OWN);
      expect(html.match(/<td>/gu)).toHaveLength(2);
      expect(html.match(/<tr>/gu)).toHaveLength(2);
    }),
    { numRuns: 1000 },
  );
});

test('behind the entities no text is left that GitHub makes a link of', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      for (const piece of cell(text).split('<wbr>')) {
        expect(decoded(piece)).not.toMatch(/www\.|:\/\/|.@/iu);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a cell shows what it was given', () => {
  const shown = (text: string) => decoded(cell(text).replaceAll('<wbr>', ''));
  expect(shown('a@b|c`<d>&amp;')).toBe('a@b|c`<d>&amp;');
  expect(shown('[2001:db8::1]:443')).toBe('[2001:db8::1]:443');
  expect(shown('::/0:547/udp')).toBe('::/0:547/udp');
  expect(shown('x'.repeat(400))).toBe(`${'x'.repeat(300)}…`);
});
