// What the policy says about a name, cut into segments.
import { everyPair, isEmpty, type PairSet, subtract } from '../net/pair-set.ts';
import { decideName, type NameCell } from '../policy/decide-name.ts';
import type { Policy, Rule } from '../policy/policy.ts';
import { pairsOfSegments, type Segment, type SegmentKind, segment } from './segment.ts';

/** All that the policy says about one name. */
export interface Opinion {
  /** Pairs some rule allows: user, auto-allowed and runner segments. */
  readonly allow: readonly Segment[];
  /** Pairs a rule denies, the deciding rule first. */
  readonly deny: readonly Segment[];
  readonly denied: PairSet;
  readonly deniesAll: boolean;
}

function kindOf(rule: Rule): SegmentKind {
  if (rule.runnerHost === true) return 'runner';
  return rule.autoAllowedType === undefined ? 'user' : 'auto';
}

function toSegment({ rule, pairs }: NameCell): Segment {
  return segment({ kind: kindOf(rule), pairs, rule: rule.id, private: rule.private });
}

/** What `policy` says about `name`; a runner host's segments are for runner processes alone. */
export function opinionOf(policy: Policy, name: string): Opinion {
  const everyone = decideName(policy, name, { runner: false }).cells;
  const runner = decideName(policy, name, { runner: true }).cells.filter(
    ({ rule }) => rule.runnerHost === true,
  );
  const deny = everyone.filter(({ rule }) => rule.action === 'deny').map(toSegment);
  const denied = pairsOfSegments(deny);
  return {
    allow: [...everyone.filter(({ rule }) => rule.action === 'allow'), ...runner].map(toSegment),
    deny,
    denied,
    deniesAll: isEmpty(subtract(everyPair(), denied)),
  };
}
