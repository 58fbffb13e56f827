// Case 103: what a rule opens is said in words before it opens, also what nobody has written.
import { expect, test } from 'vitest';
import { describeRule } from '../../../src/core/policy/describe-rule.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';

test.each([
  ['github.com', 'allow github.com and every name below it, every port of TCP and UDP'],
  ['=github.com:443/tcp', 'allow =github.com, port 443/tcp'],
  ['*.example.com:53', 'allow *.example.com, port 53 of TCP and UDP'],
  [
    'a.example:443;9/udp',
    'allow a.example and every name below it, port 443 of TCP and UDP, port 9/udp',
  ],
])('%s', (allow, words) => {
  const [rule] = aSessionPolicy({ allow }).rules;
  expect(rule && describeRule(rule)).toMatch(words);
});

test('a deny without ports covers every protocol', () => {
  const rule = aSessionPolicy({ block: 'evil.test' }).rules.find(({ action }) => action === 'deny');
  expect(rule && describeRule(rule)).toContain(
    'evil.test and every name below it, every port and protocol',
  );
});
