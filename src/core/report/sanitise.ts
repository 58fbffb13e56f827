/** One line of text that no console, workflow command or bidi trick can be made of. */
export function sanitise(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '')
    .replace(/:(?=:)/gu, ': ')
    .replaceAll('##[', '# #[');
}

/** One line for a step's log: no control character, nothing the runner takes for a command. */
export function consoleLine(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '')
    .replace(/^\s*::/u, ': :')
    .replaceAll('##[', '# #[');
}
