/** One line of JSON: the same value, without a `##[`, which a runner obeys anywhere in a line. */
export function consoleJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('##[', '#\\u0023[');
}
