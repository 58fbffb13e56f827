// Text of others on its way to people: one line without anything that a console, a renderer or a
// reader's eye takes for something else.
import { parseAddress } from '../net/address.ts';

/** A line's most code points; what is longer ends in `…`. */
const MAX_LINE = 4000;
/** What may be an IPv6 address, standing by itself. */
const DOUBLE_COLON =
  /(?<![\w:.%-])[0-9a-f:]*::[0-9a-f:]*(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:%-]|\.\S)|:(?=:)/giu;

/** Cut by code points, so that no half of a character is left. */
function capped(text: string, most: number): string {
  if (text.length <= most) return text;
  const points = [...text];
  return points.length <= most ? text : `${points.slice(0, most).join('')}…`;
}

/** One line without control characters, invisible characters and `##[` commands. */
function oneLine(text: string, most: number): string {
  const line = text
    .replace(/[\r\n\t\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu, '')
    .replaceAll('##[', '# #[');
  return capped(line, most);
}

/**
 * One line of text that no console, workflow command or bidi trick can be made of, wherever it is
 * put: `::` stands in whole IPv6 addresses only, and a command has two.
 */
export function sanitise(text: string, most = MAX_LINE): string {
  return oneLine(text, most).replace(DOUBLE_COLON, (found) => {
    if (found === ':') return ': ';
    return parseAddress(found) === undefined ? found.replace(/:(?=:)/gu, ': ') : found;
  });
}

/** One whole line of a step's log: the runner takes `::` for a command only at its start. */
export function consoleLine(text: string): string {
  return oneLine(text, MAX_LINE).replace(/^\s*::/u, ': :');
}
