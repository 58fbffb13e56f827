// docs/policy.schema.json against the parser: what the parser takes the schema takes, and what is
// wrong by shape both refuse.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FILE_KEYS, parsePolicyFile } from '../../../src/core/policy/parse-policy.ts';
import {
  REFERENCE_FILE_KEYS,
  REFERENCE_RULE_KEYS,
} from '../../../src/core/policy/parse-reference.ts';
import { RULE_KEYS } from '../../../src/core/policy/parse-rule-node.ts';
import { parsePolicyText } from '../../../src/edge/host/policy-file.ts';

const schema = JSON.parse(readFileSync('docs/policy.schema.json', 'utf8'));
const accepts = new Ajv2020({ allErrors: true }).compile(schema);

function parses(value: unknown): boolean {
  const text = new TextEncoder().encode(JSON.stringify(value));
  return parsePolicyFile(parsePolicyText(text, 'p.json')).errors.length === 0;
}

describe('the schema has the keys of the parser', () => {
  const keys = (name: string) => Object.keys(schema.$defs[name].properties).sort();
  test.each([
    ['policy', FILE_KEYS],
    // `steps` is an error until it is served
    ['rule', RULE_KEYS.filter((key) => key !== 'steps')],
    ['reference', REFERENCE_FILE_KEYS],
    ['referenceRule', REFERENCE_RULE_KEYS],
  ])('%s', (name, known) => {
    expect(keys(name)).toEqual([...known].sort());
  });
});

describe('both refuse', () => {
  test.each<[string, unknown]>([
    ['no version', { rules: [] }],
    ['another version', { version: 2 }],
    ['an unknown key', { version: 1, allow: [] }],
    ['both shapes', { version: 1, defaultAction: 'deny' }],
    ['both shapes in a rule', { version: 1, rules: [{ type: 'cidr', value: '10.0.0.0/8' }] }],
    ['a rule without a target', { version: 1, rules: [{ action: 'deny' }] }],
    ['two targets', { version: 1, rules: [{ host: 'a.example', cidr: '10.0.0.0/8' }] }],
    ['no ports', { version: 1, rules: [{ host: 'a.example', ports: [] }] }],
    ['port 0', { version: 1, rules: [{ host: 'a.example', ports: [0] }] }],
    ['a wrong protocol', { version: 1, rules: [{ host: 'a.example', ports: ['443/sctp'] }] }],
    [
      'ICMP with a port',
      { version: 1, rules: [{ host: 'a.example', ports: [{ port: 1, protocol: 'icmp' }] }] },
    ],
    ['a wrong action', { version: 1, rules: [{ host: 'a.example', action: 'drop' }] }],
    ['a relative command', { version: 1, 'sudo-lockdown': { 'allow-commands': ['apt-get'] } }],
    ['a reference rule without a value', { defaultAction: 'deny', rules: [{ type: 'cidr' }] }],
    ['a wrong type', { rules: [{ type: 'host', value: 'a.example' }] }],
    ['a schema alone', { $schema: './policy.schema.json' }],
    ['a list', []],
    ['nothing', null],
  ])('%s', (_what, value) => {
    expect([accepts(value), parses(value)]).toEqual([false, false]);
  });
});

describe('both take the schema that editors write into a file', () => {
  test.each<[string, unknown]>([
    ['in our shape', { $schema: './policy.schema.json', version: 1, rules: [] }],
    ['in the reference shape', { $schema: './policy.schema.json', defaultAction: 'deny' }],
  ])('%s', (_what, value) => {
    expect([accepts(value), parses(value)]).toEqual([true, true]);
  });
});

/** Values that are right in some place of a file, and some that are right nowhere. */
const leaf = fc.constantFrom<unknown>(
  1,
  0,
  443,
  65_536,
  true,
  null,
  'deny',
  'all',
  'a.example.com',
);
/** Mostly right, now and then anything. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: leaf });
const word = (...words: unknown[]) => mostly(fc.constantFrom(...words));
const optional = { requiredKeys: [] };
const port = fc.oneof(
  word(1, 443, 65_535, '443/tcp', '53/UDP', '8080'),
  fc.record(
    { port: word(443, '443', 0), protocol: word('tcp', 'UDP', 'all') },
    { requiredKeys: ['port'] },
  ),
  fc.record({ protocol: word('icmp'), port: fc.constant(0) }, { requiredKeys: ['protocol'] }),
);
const ports = fc.oneof(port, fc.array(port, { maxLength: 2 }));
const action = word('allow', 'deny');
const host = word('a.example.com', '=a.example.com', '*.example.com');
const cidr = word('10.0.0.0/8', '2001:db8::1');
const ours = fc.oneof(
  fc.record(
    { host, ports, action, private: word(true, false), reason: word('why') },
    { requiredKeys: ['host'] },
  ),
  fc.record({ cidr, ports, action }, { requiredKeys: ['cidr'] }),
);
const theirs = fc.oneof(
  fc.record(
    { type: word('hostname'), value: host, ports, action },
    { requiredKeys: ['type', 'value'] },
  ),
  fc.record(
    { type: word('cidr'), value: cidr, ports, autoAddedType: leaf },
    { requiredKeys: ['type', 'value'] },
  ),
);
const several = (items: fc.Arbitrary<unknown>) => mostly(fc.array(items, { maxLength: 2 }));
const file = fc.oneof(
  fc.record(
    {
      $schema: leaf,
      version: word(1),
      default: action,
      'allow-broad': word(true, false),
      rules: several(ours),
      'search-domains': several(word('.corp.internal')),
      'expected-blocks': several(word('telemetry.example.com:443', '10.0.0.0/8')),
      'sudo-lockdown': fc.record(
        { enabled: word(false), 'allow-commands': several(word('/usr/bin/apt-get')) },
        optional,
      ),
    },
    optional,
  ),
  fc.record(
    {
      $schema: leaf,
      defaultAction: action,
      rules: several(theirs),
      searchDomains: several(word('.corp.internal')),
      sudoLockdown: fc.record(
        { enabled: word(false), allowCommands: several(word('/bin/x')) },
        optional,
      ),
    },
    optional,
  ),
);

const seen = new Set<string>();

test.each([4711, 4712, 4713, 4714])('what the parser takes the schema takes, %i', (seed) => {
  const enough = 125;
  const taken = { ours: 0, theirs: 0 };
  fc.assert(
    fc.property(file, (value) => {
      const text = JSON.stringify(value);
      if (seen.has(text)) return;
      // The parser costs far more than the schema: of what this takes, it has to take enough, no more.
      const kind = 'version' in value ? 'ours' : 'theirs';
      if (accepts(value)) {
        if (taken[kind] < enough && parses(value)) taken[kind]++;
      } else if (parses(value)) {
        throw new Error('the parser takes it, the schema does not');
      }
      seen.add(text);
    }),
    { numRuns: 2500, seed },
  );
  expect(taken).toEqual({ ours: enough, theirs: enough });
});
