// Policy files of the reference implementation's shape.
import { describe, expect, test } from 'vitest';
import { parsePolicyFile } from '../../../src/core/policy/parse-policy.ts';
import { parsePolicyText } from '../../../src/edge/host/policy-file.ts';

function parse(text: string) {
  return parsePolicyFile(parsePolicyText(new TextEncoder().encode(text), 'p.json'));
}

const WHOLE = `{
  "defaultAction": "deny",
  "rules": [
    { "type": "hostname", "value": "Registry.example.com", "action": "allow",
      "ports": [{ "port": 443, "protocol": "all" }, { "port": 8443, "protocol": "tcp" }] },
    { "type": "cidr", "value": "10.0.0.0/8", "action": "deny" },
    { "type": "cidr", "value": "198.51.100.7", "ports": [{ "port": 0, "protocol": "icmp" }] }
  ],
  "searchDomains": [".corp.internal"],
  "sudoLockdown": { "enabled": false, "allowCommands": ["/usr/bin/id"] }
}`;

describe('a file of the reference shape', () => {
  test('says what the same file of our shape says', () => {
    const ours = parse(`version: 1
default: deny
rules:
  - { host: registry.example.com, ports: [443, 8443/tcp] }
  - { cidr: 10.0.0.0/8, action: deny }
  - { cidr: 198.51.100.7, ports: [{ protocol: icmp }] }
search-domains: [corp.internal]
sudo-lockdown: { allow-commands: [/usr/bin/id] }
`);
    const reference = parse(WHOLE);
    expect([reference.errors, reference.warnings]).toEqual([[], []]);
    const without = ({ rules, ...file }: typeof ours.file) => ({
      ...file,
      rules: rules.map(({ where: _where, ...rule }) => rule),
    });
    expect(without(reference.file)).toEqual(without(ours.file));
    expect(reference.file.rules[0]?.where).toEqual({ source: 'p.json', line: 4, column: 36 });
  });

  test('may be YAML, and needs no more than its rules', () => {
    const { file, errors } = parse('rules:\n- { type: hostname, value: a.example.com }\n');
    expect(errors).toEqual([]);
    expect(file.rules).toMatchObject([{ text: 'a.example.com', ports: null, action: 'allow' }]);
  });

  test.each([
    [
      'an empty list of ports',
      'defaultAction: deny\nrules: [{ type: hostname, value: a.example.com, ports: [] }]',
      'every port',
    ],
    [
      'autoAddedType',
      'defaultAction: deny\nrules: [{ type: hostname, value: a.example.com, autoAddedType: dns }]',
      'is ignored',
    ],
  ])('%s is a warning', (_what, text, message) => {
    const { file, errors, warnings } = parse(text);
    expect(errors).toEqual([]);
    expect(warnings.map((warning) => warning.message)).toEqual([expect.stringContaining(message)]);
    expect(file.rules).toMatchObject([{ ports: null }]);
  });

  test.each([
    ['a wrong type', 'rules: [{ type: host, value: a.example.com }]', 1, 17, 'hostname or cidr'],
    ['no type', 'rules: [{ value: a.example.com }]', 1, 33, 'type'],
    ['no value', 'rules: [{ type: cidr }]', 1, 23, 'value'],
    [
      'a wrong name',
      'defaultAction: deny\nrules: [{ type: hostname, value: a..b }]',
      2,
      36,
      'label',
    ],
    [
      'a name as CIDR',
      'rules: [{ type: cidr, value: a.example }]',
      1,
      30,
      'names go with the hosts',
    ],
    ['host bits', 'rules: [{ type: cidr, value: 10.1.0.0/8 }]', 1, 30, '10.0.0.0/8'],
    [
      'port 0',
      'rules: [{ type: cidr, value: 10.0.0.0/8, ports: [{ port: 0 }] }]',
      1,
      58,
      'a port from 1',
    ],
    [
      'ICMP with a port',
      'rules: [{ type: cidr, value: 10.0.0.0/8, ports: [{ port: 7, protocol: icmp }] }]',
      1,
      58,
      'no port',
    ],
    [
      'a wrong protocol',
      'rules: [{ type: cidr, value: 10.0.0.0/8, ports: [{ port: 7, protocol: sctp }] }]',
      1,
      71,
      'all, tcp, udp or icmp',
    ],
    ['a broad allow', 'rules: [{ type: hostname, value: "*.com" }]', 1, 35, 'a narrower allow'],
    ['our key', 'defaultAction: deny\nsearch-domains: []', 2, 1, 'Did you mean "searchDomains"?'],
    ['our default', 'searchDomains: []\ndefault: deny', 2, 1, 'Did you mean "defaultAction"?'],
    [
      'our rule',
      'defaultAction: deny\nrules: [{ host: a.example }]',
      2,
      11,
      'Did you mean "type: hostname and value"?',
    ],
    ['a relative command', 'sudoLockdown: { allowCommands: [id] }', 1, 33, 'an absolute path'],
  ])('%s is an error', (_what, text, line, column, expected) => {
    const [first] = parse(text).errors;
    expect(first).toMatchObject({ line, column });
    expect(first?.expected).toContain(expected);
  });
});

describe('shapes never mix', () => {
  test.each([
    ['defaultAction', 'version: 1\ndefaultAction: deny', 'Did you mean "default"?'],
    ['searchDomains', 'version: 1\nsearchDomains: []', 'Did you mean "search-domains"?'],
    [
      'type',
      'version: 1\nrules: [{ type: cidr, value: 10.0.0.0/8 }]',
      'Did you mean "host or cidr"?',
    ],
  ])('%s in a file with a version', (_key, text, expected) => {
    expect(parse(text).errors[0]?.expected).toContain(expected);
  });

  test.each(['rules: []', 'rules: [{ host: a.example }]', 'default: deny', '{}'])(
    '%s has no key of the reference shape: the version is asked for',
    (text) => {
      expect(parse(text).errors.map(({ expected }) => expected)).toContain(
        '"version: 1" at the top of the policy file',
      );
    },
  );
});
