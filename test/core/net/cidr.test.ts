import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/core/net/address.ts';
import {
  contains,
  covers,
  maskAddress,
  parsePrefix,
  parsePrefixParts,
  printPrefix,
  withoutMapped,
} from '../../../src/core/net/cidr.ts';

function prefix(text: string) {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

describe('prefixes', () => {
  it.each([
    ['10.0.0.0/8', '10.255.1.2', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '1.2.3.4', false],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['1.2.3.4', '1.2.3.4', true],
  ])('%s contains %s: %s', (outer, inner, expected) => {
    expect(contains(prefix(outer), address(inner))).toBe(expected);
  });

  it('knows which prefix covers which', () => {
    expect(covers(prefix('10.0.0.0/8'), prefix('10.1.0.0/16'))).toBe(true);
    expect(covers(prefix('10.1.0.0/16'), prefix('10.0.0.0/8'))).toBe(false);
    expect(covers(prefix('::/0'), prefix('10.0.0.0/8'))).toBe(false);
  });

  it('takes a v4-mapped spelling for IPv4', () => {
    expect(printPrefix(prefix('::ffff:10.0.0.0/104'))).toBe('10.0.0.0/8');
  });

  it('says which side is wrong', () => {
    expect(parsePrefixParts('10.0.0.1', '8')).toEqual({
      kind: 'host-bits',
      corrected: '10.0.0.0/8',
    });
    expect(parsePrefixParts('2001:db8::1', '32')).toEqual({
      kind: 'host-bits',
      corrected: '2001:db8::/32',
    });
    expect(parsePrefixParts('10.0.0.0', '33')).toEqual({ kind: 'length', limit: 32 });
    expect(parsePrefixParts('::', '08')).toEqual({ kind: 'length', limit: 128 });
    expect(parsePrefixParts('10.0.0', '8')).toEqual({ kind: 'address' });
  });

  it('cuts an IPv6 prefix around the v4-mapped block without losing an address', () => {
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const zeros = fc
      .nat(90)
      .chain((length) => bytes.map((one) => one.map((byte, i) => (i * 8 < length ? 0 : byte))));
    fc.assert(
      fc.property(fc.nat(95), fc.oneof(bytes, zeros), (length, one) => {
        const whole = { address: maskAddress(address('::ffff:0.0.0.0'), length), length };
        const inParts = withoutMapped(whole).filter((part) => contains(part, one)).length;
        expect(inParts).toBe(contains(whole, one) ? 1 : 0);
      }),
    );
  });
});
