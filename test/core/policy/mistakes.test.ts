// What people get wrong, and what they are told: the place, the wrong part, and what to write.
import { describe, expect, test } from 'vitest';
import { buildPolicy, type PolicyInputs } from '../../../src/core/policy/build-policy.ts';
import { renderProblem } from '../../../src/core/policy/problem.ts';
import { parsePolicyText } from '../../../src/edge/host/policy-file.ts';

const NOTHING: PolicyInputs = {
  allowedHosts: '',
  blockedHosts: '',
  allowedCidrs: '',
  blockedCidrs: '',
  expectedBlocks: '',
  searchDomains: '',
  githubServiceHosts: '',
  azureInfraHosts: '',
  sudoLockdown: false,
  sudoAllowCommands: '',
};

function said(inputs: Partial<PolicyInputs>, file?: string): readonly string[] {
  const document =
    file === undefined ? undefined : parsePolicyText(new TextEncoder().encode(file), 'policy.yml');
  const built = buildPolicy({ ...NOTHING, ...inputs }, document, {
    actionsUrls: [],
    serverUrl: '',
  });
  const errors = 'errors' in built ? built.errors : [];
  return [...errors, ...built.warnings].map(renderProblem);
}

const escaped = (text: string) => text.replace(/[[\]().]/gu, '\\$&');

describe('allowed-hosts', () => {
  test.each([
    ['https://example.com/path', 1, 'leave out scheme and path'],
    ['example.com/path', 9, 'an entry has no path'],
    ['user@example.com', 1, 'an entry has no user'],
    ['example.com 443', 12, 'separate two entries with a comma or a new line'],
    ['example.com: 443', 13, 'ports stand right behind the colon'],
    ['example.com:443,8443', 17, 'a further port of an entry stands behind ";"'],
    ['example.com;other.com', 9, 'a comma or a new line separates entries'],
    ['example.com:443-445', 13, 'ranges are not known'],
    ['example.com:https', 13, 'service names are not known'],
    ['"example.com"', 1, 'an entry has no quotes'],
    ['- example.com', 1, 'entries are lines, without "- "'],
    ['!example.com', 1, 'what is denied goes with the blocked'],
    ['xn--a.example.com', 1, 'write its own letters'],
    ['.example.com', 1, 'write "**.example.com"'],
    ['api-*.example.com', 1, 'part of a label has no wildcard'],
    ['*.com', 1, 'allow-broad: true'],
  ])('%s', (allowedHosts, column, words) => {
    const [first = '', ...more] = said({ allowedHosts });
    expect(first).toContain(`input allowed-hosts line 1 column ${column}: found`);
    expect(first).toContain(words);
    expect(more).toEqual([]);
  });
});

describe('allowed-cidrs', () => {
  test.each([
    ['10/8', 'expected a plain dotted-decimal IPv4 address'],
    ['10.1.2.3/8', 'expected 10.0.0.0/8: bits behind the prefix length must be zero'],
    ['2001:db8::1/32', 'expected 2001:db8::/32: bits behind the prefix length must be zero'],
    ['[2001:db8::]/32:443', 'expected ":" and ports, or the end, behind "]"'],
    ['a.example.com', 'expected an address or a CIDR; names go with the hosts'],
    ['db:5432:tcp', 'expected an address or a CIDR; names go with the hosts'],
  ])('%s', (allowedCidrs, words) => {
    expect(said({ allowedCidrs })).toEqual([
      expect.stringMatching(new RegExp(`${escaped(words)}$`)),
    ]);
  });
});

describe('an IPv6 address with a mistake is told whole, in either list', () => {
  test.each([
    '2001:db8::g',
    '2001:db8::1::2',
    '2001:db8:0:0:0:0:0:x',
    '1:2:3:4:5:6:7:8:9',
    'fe80::xyz',
    '::g',
    '2001:db8::12345',
  ])('%s', (text) => {
    const found = `found "${text}", expected an IPv6 address: groups`;
    const [hosts, cidrs] = [said({ allowedHosts: text }), said({ allowedCidrs: text })];
    expect(hosts).toEqual([expect.stringContaining(`allowed-hosts line 1 column 1: ${found}`)]);
    expect(cidrs).toEqual([expect.stringContaining(`allowed-cidrs line 1 column 1: ${found}`)]);
    const [network = ''] = said({ allowedCidrs: `${text}/64` });
    expect(network).toContain(`allowed-cidrs line 1 column 1: ${found}`);
  });

  test('a second colon behind a name is not meant as one', () => {
    expect(said({ allowedHosts: 'example.com::443' })[0]).toContain('column 13: found ":443"');
    expect(said({ allowedHosts: 'db:5432:tcp' })[0]).toContain('column 4: found "5432:tcp"');
  });
});

describe('a policy file', () => {
  const rule = (text: string) => `version: 1\nrules:\n  - ${text}\n`;
  test.each([
    [rule('host: *.example.com'), 3, 11, 'quotes around a value that starts with "*"'],
    [rule('hostname: a.example.com\n    host: a.example.com'), 3, 5, 'Did you mean "host"?'],
    [rule('hots: a.example.com'), 3, 5, 'Did you mean "host"?'],
    [rule('ports: [443]'), 3, 17, 'expected host or cidr'],
    [rule('host: a.example.com\n    protocol: tcp'), 4, 5, 'ports: [{ port: 443, protocol: tcp }]'],
    [rule('host: a.example.com\n    ports: []'), 4, 12, 'found "[]", expected at least one port'],
    [rule('host: a.example.com\n    host: b.example.com'), 4, 5, 'found "host", expected each key'],
    ['version: "1"\n', 1, 10, 'expected the number 1'],
    ['version: 1\nmode: audit\n', 2, 1, 'Did you mean "the input mode"?'],
    ['version: 1\nallowed-hosts: [a.example.com]\n', 2, 1, 'Did you mean "rules"?'],
    ['version: 1\n---\nversion: 1\n', 2, 1, 'expected one document'],
  ])('%j', (file, line, column, words) => {
    const [first = '', ...more] = said({}, file);
    expect(first).toContain(`policy.yml line ${line} column ${column}: `);
    expect(first).toContain(words);
    expect(more).toEqual([]);
  });
});

describe('what changes nothing is told', () => {
  test('private where nobody is answered', () => {
    const file = 'version: 1\nrules:\n  - cidr: 10.0.0.0/8\n    private: true\n';
    expect(said({}, file)).toEqual([
      expect.stringMatching(/^policy\.yml line 4 column 5: private changes nothing here/u),
    ]);
    expect(said({}, file.replace('cidr: 10.0.0.0/8', 'host: a.example.com'))).toEqual([]);
  });

  test('commands without a lockdown', () => {
    const inputs = { sudoAllowCommands: '\n/usr/bin/id' };
    expect(said(inputs)).toEqual([
      'input sudo-allow-commands line 2 column 1: sudo-allow-commands changes nothing without sudo-lockdown: true',
    ]);
    expect(said({ ...inputs, sudoLockdown: true })).toEqual([]);
    expect(said(inputs, 'version: 1\nsudo-lockdown: { enabled: true }\n')).toEqual([]);
  });
});

describe('places count code points', () => {
  test('in a list, behind characters of two units', () => {
    const [first] = said({ allowedHosts: '\u{1d4d0}.example.com,  \u{1d4d1}.example.com, a..b' });
    expect(first).toContain('line 1 column 34: found nothing');
  });

  test('in a file, on a line of thousands of nodes', () => {
    const hosts = Array.from({ length: 2000 }, () => '{"host":"\u{1d4d0}.example.com"}');
    const file = `{"version":1,"rules":[${hosts.join(',')},{"host":"a..b"}]}`;
    const [first] = said({}, file);
    const before = file.slice(0, file.indexOf('a..b'));
    expect(first).toContain(`line 1 column ${[...before].length + 3}: found nothing`);
  });
});

describe('a name too long for any is said to be so at once', () => {
  test.each(['a.'.repeat(100_000), '*.'.repeat(100_000), `${'a'.repeat(60)}.`.repeat(5)])(
    '%#',
    (text) => {
      expect(said({ blockedHosts: `${text}com` })).toEqual([
        expect.stringContaining('a name of at most 253 characters'),
      ]);
    },
  );
});
