// What the policy says about a name, cut into segments.
import { everyPair, isEmpty, type PairSet, subtract } from '../net/pair-set.ts';
import { cellsFor, type NameCell, rulesMatching } from '../policy/decide-name.ts';
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

function opinionOfRules(rules: readonly Rule[]): Opinion {
  const everyone = cellsFor(rules, { runner: false });
  const runner = cellsFor(rules, { runner: true }).filter(({ rule }) => rule.runnerHost === true);
  const deny = everyone.filter(({ rule }) => rule.action === 'deny').map(toSegment);
  const denied = pairsOfSegments(deny);
  return {
    allow: [...everyone.filter(({ rule }) => rule.action === 'allow'), ...runner].map(toSegment),
    deny,
    denied,
    deniesAll: isEmpty(subtract(everyPair(), denied)),
  };
}

/** Names that the same rules match have one opinion: bounded by the policy, not by the names. */
const opinions = new WeakMap<Policy, Map<string, Opinion>>();
const MAX_OPINIONS = 16_384;

/** What `policy` says about `name`; a runner host's segments are for runner processes alone. */
export function opinionOf(policy: Policy, name: string): Opinion {
  const rules = rulesMatching(policy, name);
  const [first] = rules;
  const key = rules.length === 1 && first ? `${first.id}` : rules.map(({ id }) => id).join();
  const known = opinions.get(policy) ?? new Map<string, Opinion>();
  const opinion = known.get(key) ?? opinionOfRules(rules);
  if (known.size >= MAX_OPINIONS) known.clear();
  opinions.set(policy, known.set(key, opinion));
  return opinion;
}
