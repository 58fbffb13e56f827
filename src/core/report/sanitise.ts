// Text of others on its way to a console or an annotation.

/** One line without control characters, invisible characters and `##[` commands. */
function oneLine(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu, '')
    .replaceAll('##[', '# #[');
}

/** One line of text that no console, workflow command or bidi trick can be made of, wherever it is put. */
export function sanitise(text: string): string {
  return oneLine(text).replace(/:(?=:)/gu, ': ');
}

/** One whole line of a step's log: the runner takes `::` for a command only at its start. */
export function consoleLine(text: string): string {
  return oneLine(text).replace(/^\s*::/u, ': :');
}
