// The guarded space of spec 5, row by row, with its neighbours.
import { describe, expect, test } from 'vitest';
import { isGuarded, isPrivate, isRemoved } from '../../../src/core/dns/guard.ts';
import { type Address, parseAddress, printAddress } from '../../../src/core/net/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

const own = (one: Address) => ['198.51.100.7', '2001:db8::7'].includes(printAddress(one));

const GUARDED = [
  '0.0.0.0',
  '0.255.255.255',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fc00::1',
  'fd12::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '198.51.100.7',
  '2001:db8::7',
  '::198.51.100.7',
  '::ffff:10.0.0.1',
  '::10.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::198.51.100.7',
  '64:ff9b:1::10.0.0.1',
  '64:ff9b:1:a00:1::',
  '64:ff9b:1:fff:0a:1::',
  '2002:a00:1::1',
  '2002:7f00:1::',
];
const ORDINARY = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '126.255.255.255',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.0.1.1',
  '192.0.2.1',
  '198.17.0.1',
  '198.20.0.1',
  '198.51.100.8',
  '203.0.113.1',
  '223.255.255.255',
  '2001:db8::1',
  'fb00::1',
  'fe00::1',
  '2606:4700::1111',
  '::ffff:1.1.1.1',
  '::1.1.1.1',
  '64:ff9b::1.1.1.1',
  '64:ff9b:1::1.1.1.1',
  '2002:101:101::1',
];

describe('guarded space', () => {
  test.each(GUARDED)('%s opens nothing by itself', (text) => {
    expect(isGuarded(address(text), own)).toBe(true);
  });
  test.each(ORDINARY)('%s is an ordinary address', (text) => {
    expect(isGuarded(address(text), own)).toBe(false);
    expect(isRemoved(address(text), own)).toBe(false);
  });
});

test.each([
  ['10.1.2.3', true],
  ['172.16.0.1', true],
  ['192.168.0.1', true],
  ['100.64.0.1', true],
  ['fd00::1', true],
  ['127.0.0.1', false],
  ['169.254.169.254', false],
  ['168.63.129.16', false],
  ['198.18.0.1', false],
  ['fe80::1', false],
  ['64:ff9b::10.0.0.1', false],
  ['1.1.1.1', false],
])('private: true opens %s: %s', (text, opens) => {
  expect(isPrivate(address(text))).toBe(opens);
});

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '::1',
  '0.0.0.0',
  '::',
  '169.254.169.254',
  'fe80::1',
  '::ffff:127.0.0.1',
  '198.51.100.7',
  '2001:db8::7',
])('%s is taken out of answers', (text) => {
  expect(isRemoved(address(text), own)).toBe(true);
});

test.each(['10.0.0.1', '192.168.1.1', 'fd00::1', '168.63.129.16', '224.0.0.1'])(
  '%s stays in answers',
  (text) => {
    expect(isRemoved(address(text), own)).toBe(false);
  },
);
