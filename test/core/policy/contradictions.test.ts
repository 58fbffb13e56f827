import fc from 'fast-check';
import { expect, test } from 'vitest';
import { intersect, isEmpty, type PortItem, pairsOf } from '../../../src/core/net/pair-set.ts';
import { contradictions } from '../../../src/core/policy/contradictions.ts';
import type { RuleDraft } from '../../../src/core/policy/parse-list.ts';

const port = fc.constantFrom<PortItem>(
  { port: 80, protocol: 'tcp' },
  { port: 443, protocol: 'both' },
  { port: 443, protocol: 'udp' },
  { port: 0, protocol: 'icmp' },
);
const rule = fc.record({
  text: fc.constantFrom('a.example.com', '=a.example.com'),
  action: fc.constantFrom<RuleDraft['action']>('allow', 'deny'),
  ports: fc.oneof(fc.constant(null), fc.array(port, { minLength: 1, maxLength: 3 })),
});

function drafts(rules: readonly Pick<RuleDraft, 'text' | 'action' | 'ports'>[]): RuleDraft[] {
  return rules.map((one, index) => ({
    ...one,
    target: { kind: 'name', name: 'a.example.com', exact: false },
    private: false,
    where: { source: 'input', line: index + 1, column: 1 },
  }));
}

test('a rule is doubtful exactly when an earlier one of its target decides a pair of it the other way', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), (some) => {
      const rules = drafts(some);
      const overlaps = (one: RuleDraft, other: RuleDraft) =>
        one.text === other.text &&
        one.action !== other.action &&
        !isEmpty(intersect(pairsOf(one.ports, one.action), pairsOf(other.ports, other.action)));
      const expected = rules.filter((one, index) =>
        rules.slice(0, index).some((earlier) => overlaps(earlier, one)),
      );
      const found = contradictions(rules);
      expect(found.map(({ line }) => line)).toEqual(expected.map(({ where }) => where.line));
      for (const { line, message } of found) {
        const [, other = ''] = /see input line (\d+)/u.exec(message) ?? [];
        const [one, earlier] = [rules[line - 1], rules[Number(other) - 1]];
        expect(one !== undefined && earlier !== undefined && overlaps(earlier, one)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
