// The input notify-url: where blocks are told.

/** A URL, or what is wrong with it; empty text is none. The text may hold a secret: never print it. */
export function parseNotifyUrl(
  text: string,
): { readonly url: string | undefined } | { readonly error: string } {
  if (text === '') return { url: undefined };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/u.test(url.protocol)) {
    return { error: 'input notify-url: found no URL, expected https://host/path' };
  }
  if (url.username !== '' || url.password !== '') {
    return { error: 'input notify-url: found a user or password before the host, expected none' };
  }
  return { url: url.href };
}
