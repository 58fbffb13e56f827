// Canonical reverse names (RFC 1035 3.5, RFC 3596 2.5): four decimal labels below in-addr.arpa or
// thirty-two nibbles below ip6.arpa, nothing else.
import type { Address } from '../net/address.ts';

const V4_SUFFIX = '.in-addr.arpa';
const V6_SUFFIX = '.ip6.arpa';

function parseV4(labels: readonly string[]): Address | undefined {
  if (labels.length !== 4) return undefined;
  const address = new Uint8Array(16);
  address.fill(0xff, 10, 12);
  for (const [index, label] of labels.entries()) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(label) || Number(label) > 255) return undefined;
    address[15 - index] = Number(label);
  }
  return address;
}

function parseV6(labels: readonly string[]): Address | undefined {
  if (labels.length !== 32) return undefined;
  const address = new Uint8Array(16);
  for (const [index, label] of labels.entries()) {
    if (!/^[0-9a-f]$/.test(label)) return undefined;
    const at = 15 - (index >> 1);
    const nibble = Number.parseInt(label, 16);
    address[at] = (address[at] ?? 0) | (index % 2 === 0 ? nibble : nibble << 4);
  }
  return address;
}

/** The address a lower-case reverse name stands for, or undefined when it isn't canonical. */
export function parseReverseName(name: string): Address | undefined {
  if (name.endsWith(V4_SUFFIX)) return parseV4(name.slice(0, -V4_SUFFIX.length).split('.'));
  if (name.endsWith(V6_SUFFIX)) return parseV6(name.slice(0, -V6_SUFFIX.length).split('.'));
  return undefined;
}
