import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddress, printAddress } from '../../../src/core/net/address.ts';
import { consoleLine, sanitise } from '../../../src/core/report/sanitise.ts';

const pieces = fc
  .array(
    fc.constantFrom(
      ...[':', '::', '#', '##', '[', ']', '/', '.', '1', '443', 'dead', 'add-mask', 'error', ' '],
      ...['\u200b', '\u202e', '\u00ad', '\u180e', '\ufeff', '\u034f', '\ud800', '\u{e0041}'],
      ...['\n', '\r', '\t', '\v', '\f', '\u0085', '\u00a0', '\u2028', '\u2029', '\u3000', '\u001b'],
      ...['%0A', '%25', '\u{1f600}', 'é'],
    ),
  )
  .map((some) => some.join(''));

/** What the runner takes for a command: `::name::` behind blanks, `##[` anywhere. */
const COMMAND = /^\s*::[^:]*::|##\[/u;

test('no text keeps a command, a control, an invisible or half a character, wherever it is put', () => {
  fc.assert(
    fc.property(pieces, fc.nat(40), (text, most) => {
      const line = sanitise(text, most);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/u);
      expect(line).not.toContain('##[');
      // Each `:` may have been given a blank.
      expect([...line].length).toBeLessThanOrEqual(most * 2 + 1);
    }),
    { numRuns: 2000 },
  );
});

test('`::` stands in whole IPv6 addresses only', () => {
  fc.assert(
    fc.property(pieces, (text) => {
      for (const [run] of sanitise(text).matchAll(/[\w:.%-]*::[\w:.%-]*/gu)) {
        expect(parseAddress(run) ?? parseAddress(run.replace(/\.$/u, '')), run).toBeDefined();
      }
    }),
    { numRuns: 2000 },
  );
});

describe('addresses can be read', () => {
  test.each([
    '2001:db8::1',
    '::/0',
    'allow ::/0:443/tcp, 0.0.0.0/0',
    '[::/0]:443',
    '::/0:547/udp',
    '[2001:db8::1]:443',
    'connect to 2001:db8::1, port 443',
    'cargowall: blocked: [::1]:80 by curl',
    '2001:db8::/32',
    '::',
    '::ffff:192.0.2.1',
    'refused by 2001:db8::1.',
  ])('%s', (text) => expect(sanitise(text)).toBe(text));

  test('every address, alone and as a destination', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(bytes, (some) => {
        const text = printAddress(Uint8Array.from(some));
        for (const whole of [text, `[${text}]:443`, `to ${text}/64 by curl`]) {
          expect(sanitise(whole)).toBe(whole);
        }
      }),
    );
  });
});

describe('commands are broken', () => {
  test.each([
    ['::error::x', ': :error: :x'],
    ['::add::x', ': :add: :x'],
    ['::dead-mask::', ': :dead-mask: :'],
    ['x::y', 'x: :y'],
    ['::.::x', ': :.: :x'],
    [':::x', ': : :x'],
    ['1::2::3', '1: :2: :3'],
    ['##\u200b[error]x', '# #[error]x'],
  ])('%s', (text, safe) => expect(sanitise(text)).toBe(safe));
});

test('no line for the console is a command, and addresses stay as they are', () => {
  expect(consoleLine(' ::set-output name=a::b\nmore')).toBe(': :set-output name=a::b more');
  expect(consoleLine('a ##[error]b')).toBe('a # #[error]b');
  expect(consoleLine('connect to 2001:db8::1\u001b[0m')).toBe('connect to 2001:db8::1[0m');
  fc.assert(
    fc.property(pieces, (text) => {
      const line = consoleLine(text);
      expect(line).not.toMatch(COMMAND);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
    }),
    { numRuns: 2000 },
  );
});

test('a line has an end', () => {
  expect([...consoleLine('\u{1f600}'.repeat(10_000))].length).toBe(4001);
  expect(consoleLine('\u{1f600}'.repeat(10_000))).not.toMatch(/\p{Cs}/u);
});
