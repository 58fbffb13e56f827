import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shapeOf } from '../../../src/core/dns/label-shape.ts';
import { NamesBelow, type UnusualNames } from '../../../src/core/dns/unusual-names.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';

const SEED = 0x5eed_1234;

/** Digits of a base, the same each time. */
function random(index: number, length: number, alphabet: string): string {
  let state = (index + 1) * 0x9e37_79b1;
  return Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return alphabet[(state >>> 0) % alphabet.length];
  }).join('');
}

const HEX = '0123456789abcdef';
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const BASE36 = 'abcdefghijklmnopqrstuvwxyz0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DECIMAL = '0123456789';

function many(count: number, name: (index: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, index) => name(index));
}

/** What is told of these names under a rule that allows them. */
function findings(allow: string, names: readonly string[]): readonly UnusualNames[] {
  const below = new NamesBelow(aSessionPolicy({ allow }), SEED);
  return names.flatMap((name) => below.note(name, 1) ?? []);
}

describe('told', () => {
  test.each([
    ['60 characters of base 32', 60, BASE32, 30],
    ['63 characters of base 36', 63, BASE36, 30],
    ['40 hexadecimal digits', 40, HEX, 52],
    ['32 letters', 32, LETTERS, 100],
    ['30 decimal digits', 30, DECIMAL, 90],
    ['8 characters of base 36', 8, BASE36, 420],
    ['6 hexadecimal digits', 6, HEX, 420],
  ])('labels of %s, by the name that makes a kilobyte, or the 420th', (_w, size, alphabet, by) => {
    const names = many(500, (index) => `${random(index, size, alphabet)}.ok.example`);
    const told = findings('ok.example', names);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ rule: { text: 'ok.example' }, longestLabel: size });
    expect(names.indexOf(told[0]?.example ?? '')).toBeLessThan(by);
    expect(told[0]?.names).toBeGreaterThan(0);
  });

  test('data in several short labels of a name', () => {
    const name = (index: number) =>
      `${many(4, (part) => random(index * 4 + part, 9, BASE36)).join('.')}.ok.example`;
    expect(findings('ok.example', many(100, name))).toHaveLength(1);
  });

  test.each(['*.ok.example', '**.ok.example', 'api.**.ok.example', '**'])('below %s', (allow) => {
    const below = new NamesBelow({ rules: aSessionPolicy({ allow: 'ok.example' }).rules }, SEED);
    const [rule] = aSessionPolicy({ allow: 'ok.example' }).rules;
    if (rule === undefined) throw new Error('no rule');
    const target = { kind: 'pattern', labels: allow.split('.') } as const;
    const ofPattern = new NamesBelow({ rules: [{ ...rule, target, text: allow }] }, SEED);
    const names = many(60, (index) => `api.${random(index, 40, BASE32)}.ok.example`);
    expect(names.flatMap((name) => ofPattern.note(name, 1) ?? [])).toHaveLength(1);
    expect(below.told).toBe(0);
  });

  test('again at a hundred times as much, and no more; the sum goes on', () => {
    const below = new NamesBelow(aSessionPolicy({ allow: 'ok.example' }), SEED);
    const told = many(60_000, (index) => `${random(index, 60, BASE32)}.ok.example`).flatMap(
      (name) => below.note(name, 1) ?? [],
    );
    expect(told).toHaveLength(2);
    expect(Math.abs(below.told - 60_000)).toBeLessThan(6000);
  });

  test('names without data when there are 400 of them', () => {
    const [told] = findings(
      'ok.example',
      many(500, (index) => `w${index}.ok.example`),
    );
    // an estimate: a name more in the filter counts for a little more than one
    expect([400, 401]).toContain(told?.names);
  });
});

const WORDS = [
  ...[
    'api',
    'auth',
    'build',
    'cache',
    'cdn',
    'data',
    'docs',
    'edge',
    'files',
    'git',
    'images',
    'jobs',
  ],
  ...[
    'kube',
    'logs',
    'mail',
    'metrics',
    'node',
    'packages',
    'proxy',
    'queue',
    'registry',
    'static',
  ],
  ...['storage', 'upload', 'web', 'worker'],
];
const word = (index: number) => WORDS[index % WORDS.length] ?? '';
const REGIONS = ['us-east-1', 'eu-west-3', 'ap-southeast-2', 'ca-central-1', 'sa-east-1'];

describe('not told', () => {
  test.each([
    [
      'one name, asked a million times',
      'ok.example',
      many(1e6, () => `${random(1, 60, BASE32)}.ok.example`),
    ],
    [
      '200 ordinary names',
      'ok.example',
      many(200, (index) => `${word(index)}-${index}.${REGIONS[index % 5]}.ok.example`),
    ],
    [
      '200 hosts with numbers in their parts',
      'ok.example',
      many(200, (index) => `${word(index)}0${index % 9}-prod${index % 4}-db${index}.ok.example`),
    ],
    [
      '200 addresses as names',
      'compute.amazonaws.com',
      many(200, (index) => `ec2-203-0-113-${index}.eu-west-1.compute.amazonaws.com`),
    ],
    [
      '30 package mirrors',
      'debian.org',
      many(30, (index) => `ftp.${'abcdefghijklmnopqrstuvwxyz'[index % 26]}${index}.debian.org`),
    ],
    [
      '60 distributions',
      'cloudfront.net',
      many(60, (index) => `d${random(index, 13, BASE36)}.cloudfront.net`),
    ],
    [
      'storage accounts',
      'blob.core.windows.net',
      many(20, (index) => `productionresultssa${index}.blob.core.windows.net`),
    ],
    [
      'the runner services',
      'actions.githubusercontent.com',
      many(100, (index) => `run-actions-${index}-azure-eastus.actions.githubusercontent.com`),
    ],
    [
      '20 load balancers',
      'elb.amazonaws.com',
      many(
        20,
        (index) =>
          `k8s-default-${word(index)}-${random(index, 10, HEX)}.us-east-1.elb.amazonaws.com`,
      ),
    ],
    [
      '25 buckets with an account and a hash',
      's3.amazonaws.com',
      many(
        25,
        (index) => `cdk-${random(index, 9, BASE36)}-assets-123456789012-us-east-1.s3.amazonaws.com`,
      ),
    ],
    [
      '25 digests of 160 bits',
      'pkg.example',
      many(25, (index) => `${random(index, 40, HEX)}.pkg.example`),
    ],
  ])('%s', (_what, allow, names) => {
    expect(findings(allow, names)).toEqual([]);
  });

  test('what an exact rule allows, and the rule name itself', () => {
    expect(
      findings(
        '=ok.example',
        many(1000, (index) => `n${index}.ok.example`),
      ),
    ).toEqual([]);
    expect(
      findings(
        'ok.example',
        many(1000, () => 'ok.example'),
      ),
    ).toEqual([]);
  });
});

test('the shape of any text is that of finite numbers', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const { longest, bits } = shapeOf(text);
      expect(longest).toBe(Math.max(...text.split('.').map(({ length }) => length)));
      expect(bits).toBeGreaterThanOrEqual(0);
      expect(bits).toBeLessThanOrEqual(text.length * Math.log2(36));
    }),
  );
});
