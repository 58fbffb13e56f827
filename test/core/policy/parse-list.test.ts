import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryKind } from '../../../src/core/policy/parse-entry.ts';
import { parseList } from '../../../src/core/policy/parse-list.ts';

const HOSTS: EntryKind = { action: 'allow', takes: 'hosts', allowBroad: false };
const CIDRS: EntryKind = { action: 'allow', takes: 'cidrs', allowBroad: false };
const DENY: EntryKind = { action: 'deny', takes: 'any', allowBroad: false };

function texts(list: string, kind = DENY) {
  const parsed = parseList(list, 'x', kind);
  expect(parsed.errors).toEqual([]);
  return parsed.items.map((item) => item.text);
}

function places(list: string, kind = HOSTS) {
  return parseList(list, 'x', kind).errors.map(({ line, column, found }) => [line, column, found]);
}

describe('entries', () => {
  it.each([
    ['Example.COM.', 'example.com'],
    ['=example.com:443', '=example.com'],
    ['*.example.com', '*.example.com'],
    ['a.**.b.*.example.com', 'a.**.b.*.example.com'],
    ['münchen.de', 'xn--mnchen-3ya.de'],
    ['faß.de', 'xn--fa-hia.de'],
    ['example。com', 'example.com'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['r3---sn-x.example.com', 'r3---sn-x.example.com'],
    ['10.0.0.0/8:443/TCP;53/udp', '10.0.0.0/8'],
    ['2001:DB8::/32:443', '2001:db8::/32'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
  ])('reads %s as %s', (text, normal) => expect(texts(text)).toEqual([normal]));

  it('splits at line ends and commas and ignores comments, blanks, empty entries and a BOM', () => {
    expect(texts('\ufeffa.com, b.com,,\r\n # c.com, d.com\r\te.com # f\n')).toEqual([
      'a.com',
      'b.com',
      'e.com',
    ]);
  });

  it('keeps ports with their protocol', () => {
    expect(parseList('a.com:443;53/UDP;80/tcp', 'x', DENY).items[0]?.ports).toEqual([
      { port: 443, protocol: 'both' },
      { port: 53, protocol: 'udp' },
      { port: 80, protocol: 'tcp' },
    ]);
  });

  it.each([
    ['a.com b.com', 1, 6, ' b.com'],
    ['api-* b.com', 1, 1, 'api-*'],
    ['x.com, api.api-*.com', 1, 12, 'api-*'],
    ['a..example.com', 1, 3, ''],
    ['.example.com', 1, 1, '.example.com'],
    ['=*.example.com', 1, 1, '=*.example.com'],
    ['=10.0.0.1', 1, 1, '=10.0.0.1'],
    ['=-a.example.com', 1, 2, '-a'],
    ['**.**.example.com', 1, 4, '**'],
    ['example.com:', 1, 13, ''],
    [':', 1, 1, ''],
    [':443', 1, 1, ''],
    ['example.com:443;;80', 1, 17, ''],
    ['example.com:80-90', 1, 13, '80-90'],
    ['example.com:https', 1, 13, 'https'],
    ['example.com:0', 1, 13, '0'],
    ['example.com:0443', 1, 13, '0443'],
    ['example.com:65536', 1, 13, '65536'],
    ['example.com:443/sctp', 1, 17, 'sctp'],
    ['10.0.0.1/8', 1, 1, '10.0.0.1/8'],
    ['10.0.0.0/33', 1, 10, '33'],
    ['1.2.3', 1, 1, '1.2.3'],
    ['example.0x7f', 1, 1, 'example.0x7f'],
    ['１.2.3.4', 1, 1, '１.2.3.4'],
    ['fe80::1%eth0', 1, 8, '%eth0'],
    ['[::1', 1, 5, ''],
    ['[::1]443', 1, 6, '443'],
    ['＊.example.com', 1, 1, '＊'],
    ['a℀b.example.com', 1, 1, 'a℀b'],
    ['≠.example.com', 1, 1, '≠'],
    ['https://example.com/', 1, 1, 'https://example.com/'],
    ['💩.example.com, -.example.com', 1, 16, '-'],
    ['a.com\n\n  b.com:x', 3, 9, 'x'],
    [`${'a'.repeat(64)}.com`, 1, 1, 'a'.repeat(64)],
    ['*', 1, 1, '*'],
    ['*.com', 1, 1, '*.com'],
    ['**.co.uk', 1, 1, '**.co.uk'],
    ['example.*', 1, 1, 'example.*'],
    ['com', 1, 1, 'com'],
  ])('says where "%s" is wrong', (text, line, column, found) => {
    expect(places(text)).toEqual([[line, column, found]]);
  });

  it('reports every wrong entry, in order', () => {
    expect(places('a..b\nok.example.com, x.com:0\n*.com')).toEqual([
      [1, 3, ''],
      [2, 23, '0'],
      [3, 1, '*.com'],
    ]);
  });

  it('never calls a deny or an exact name broad', () => {
    expect(texts('*.com\n**\ncom')).toEqual(['*.com', '**', 'com']);
    expect(texts('=com', HOSTS)).toEqual(['=com']);
  });

  it.each([
    ['*.github.io', 'anyone can register'],
    ['10.1.2.3', 'is an address'],
    ['example.com:53', 'port 53'],
  ])('accepts %s with a warning', (text, part) => {
    const parsed = parseList(text, 'x', HOSTS);
    expect(parsed.errors).toEqual([]);
    expect(parsed.warnings.map((warning) => warning.message).join()).toContain(part);
  });

  it('warns when the last group of an IPv6 address could be a port', () => {
    const [warning] = parseList('2001:db8::1:443', 'x', CIDRS).warnings;
    expect([warning?.column, warning?.found]).toEqual([13, '443']);
    expect(parseList('2001:db8::abc', 'x', CIDRS).warnings).toEqual([]);
  });

  it('refuses names among CIDRs', () => {
    expect(places('example.com', CIDRS)).toEqual([[1, 1, 'example.com']]);
  });

  it('reads back what it prints', () => {
    const label = fc
      .stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?$/)
      .filter((text) => !/^xn--/.test(text));
    const host = fc
      .tuple(
        fc.array(fc.oneof(label, fc.constant('*')), { maxLength: 4 }),
        fc.constantFrom('example.com', 'a.test'),
      )
      .map(([labels, tail]) => [...labels, tail].join('.'));
    fc.assert(
      fc.property(host, (text) => {
        const [once] = texts(text);
        expect(once).toBe(text);
      }),
    );
  });
});
