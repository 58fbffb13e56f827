import { expect, test } from 'vitest';
import { parseReverseName } from '../../../src/core/dns/reverse-name.ts';
import { printAddress } from '../../../src/core/net/address.ts';

const NIBBLES = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2';

test.each([
  ['1.2.0.192.in-addr.arpa', '192.0.2.1'],
  [`${NIBBLES}.ip6.arpa`, '2001:db8::1'],
])('%s is %s', (name, address) => {
  const parsed = parseReverseName(name);
  expect(parsed && printAddress(parsed)).toBe(address);
});

test.each([
  '2.0.192.in-addr.arpa',
  '9.1.2.0.192.in-addr.arpa',
  '01.2.0.192.in-addr.arpa',
  '256.2.0.192.in-addr.arpa',
  'x.2.0.192.in-addr.arpa',
  'in-addr.arpa',
  `0.${NIBBLES}.ip6.arpa`,
  `${NIBBLES.slice(2)}.ip6.arpa`,
  `g${NIBBLES.slice(1)}.ip6.arpa`,
  '1.2.0.192.in-addr.arpa.example',
])('%s is not a canonical reverse name', (name) => {
  expect(parseReverseName(name)).toBeUndefined();
});
