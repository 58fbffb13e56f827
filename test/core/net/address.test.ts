import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressFromNumber,
  addressKey,
  isIPv4,
  parseAddress,
  printAddress,
} from '../../../src/core/net/address.ts';

const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('parseAddress', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203', '10.1.2.3'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['1::', '1::'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
  ])('reads %s as %s', (text, printed) => {
    const address = parseAddress(text);
    expect(address && printAddress(address)).toBe(printed);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.',
    ':::',
    '1::2::3',
    '::1%eth0',
    '[::1]',
    '12345::',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
  ])('refuses "%s"', (text) => expect(parseAddress(text)).toBeUndefined());

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(bytes, (address) => {
        expect(parseAddress(printAddress(address))).toEqual(address);
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (value) => {
        const address = addressFromNumber(value);
        expect(isIPv4(address)).toBe(true);
        expect(parseAddress(printAddress(address))).toEqual(address);
      }),
    );
  });

  it('gives equal keys to equal addresses only', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(addressKey(a) === addressKey(b)).toBe(printAddress(a) === printAddress(b));
      }),
    );
  });
});
