// What a destination is called where people read it.

/** Frames without addresses, and what a flood was refused beyond the destinations kept apart. */
const NONE = 'no single destination';

/** `name:443`, `[2001:db8::1]:443`, or an address or name alone where there is no port. */
export function destinationText(host: string, address: string, port: number): string {
  const name = host === '' ? address : host;
  if (name === '') return NONE;
  if (port === 0) return name;
  return `${name.includes(':') ? `[${name}]` : name}:${port}`;
}
