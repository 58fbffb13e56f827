// Which rule decides a name, per (protocol, port); the order of rules never matters.
import {
  emptyPairs,
  everyPair,
  has,
  intersect,
  isEmpty,
  type PairSet,
  pairsOf,
  subtract,
  union,
} from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';
import { isWildcard, matchesPattern } from './host-pattern.ts';
import type { Action, Policy, Rule } from './policy.ts';

/** What decides one pair of a name; no rule: the default. */
export interface PairDecision {
  readonly verdict: Action;
  readonly rule: Rule | null;
}

/** Pairs that one rule decides. */
export interface NameCell {
  readonly rule: Rule;
  readonly pairs: PairSet;
}

/** What the policy says about a name. */
export interface NameDecision {
  /** Pairs a rule allows. */
  readonly allow: PairSet;
  /** Pairs a rule denies. */
  readonly deny: PairSet;
  /** Pairs no rule covers. */
  readonly rest: PairSet;
  readonly byPair: (protocol: Protocol, port: number) => PairDecision;
  /** Every rule that matches the name, the first to be asked first. */
  readonly rules: readonly Rule[];
  /** The decided pairs, each rule's own, in the same order; no pair stands twice. */
  readonly cells: readonly NameCell[];
}

/** Compared from the left, the larger first. */
type Rank = readonly number[];

interface Match {
  readonly rule: Rule;
  readonly rank: Rank;
}

const CLUSTER_SUFFIX = 'cluster.local';

interface NameIndex {
  readonly names: ReadonlyMap<string, readonly Rule[]>;
  /** By the labels behind the last wildcard, empty where there are none. */
  readonly patterns: ReadonlyMap<string, readonly Rule[]>;
}

// Derived from an immutable policy and nothing else: remembering it changes no answer.
const indexes = new WeakMap<Policy, NameIndex>();

function patternsBySuffix(policy: Policy): ReadonlyMap<string, readonly Rule[]> {
  const patterns = new Map<string, Rule[]>();
  for (const rule of policy.rules) {
    if (rule.target.kind !== 'pattern') continue;
    const { labels } = rule.target;
    const suffix = labels.slice(labels.findLastIndex(isWildcard) + 1).join('.');
    const same = patterns.get(suffix);
    if (same === undefined) patterns.set(suffix, [rule]);
    else same.push(rule);
  }
  return patterns;
}

function indexOf(policy: Policy): NameIndex {
  const known = indexes.get(policy);
  if (known !== undefined) return known;
  const names = new Map<string, Rule[]>();
  for (const rule of policy.rules) {
    if (rule.target.kind !== 'name') continue;
    const same = names.get(rule.target.name);
    if (same === undefined) names.set(rule.target.name, [rule]);
    else same.push(rule);
  }
  const index = { names, patterns: patternsBySuffix(policy) };
  indexes.set(policy, index);
  return index;
}

/** The forms under which a name is matched: in full, and without suffixes that fit. */
export function formsOf(name: string, searchDomains: readonly string[]): readonly string[] {
  const forms = new Set([name]);
  const strip = (suffix: string) => {
    if (name.endsWith(`.${suffix}`) && name.length > suffix.length + 1) {
      forms.add(name.slice(0, -suffix.length - 1));
    }
  };
  const fitting = searchDomains.filter((suffix) => name.endsWith(`.${suffix}`));
  const longest = fitting.toSorted((a, b) => b.length - a.length)[0];
  if (longest !== undefined) strip(longest);
  const labels = name.split('.');
  strip(CLUSTER_SUFFIX);
  strip(`svc.${CLUSTER_SUFFIX}`);
  const namespace = labels.at(-4);
  if (namespace !== undefined) strip(`${namespace}.svc.${CLUSTER_SUFFIX}`);
  return [...forms];
}

function nameRank(rule: Rule, form: string): Rank {
  const { target } = rule;
  if (target.kind !== 'name') return [];
  const literals = target.name.split('.').length;
  const kind = target.exact ? 4 : target.name === form ? 3 : 0;
  return [literals, kind, 0, rule.action === 'deny' ? 1 : 0];
}

function patternRank(rule: Rule, labels: readonly string[]): Rank {
  const literals = labels.filter((label) => !isWildcard(label)).length;
  return [literals, labels.includes('**') ? 1 : 2, labels.length, rule.action === 'deny' ? 1 : 0];
}

function patternMatch(rule: Rule, labels: readonly string[]): readonly Match[] {
  const { target } = rule;
  if (target.kind !== 'pattern' || !matchesPattern(target.labels, labels)) return [];
  return [{ rule, rank: patternRank(rule, target.labels) }];
}

function matchesOf(policy: Policy, form: string): readonly Match[] {
  const { names, patterns } = indexOf(policy);
  const labels = form.split('.');
  const found: Match[] = [];
  for (let start = 0; start <= labels.length; start++) {
    const suffix = labels.slice(start).join('.');
    for (const rule of names.get(suffix) ?? []) {
      const isExact = rule.target.kind === 'name' && rule.target.exact;
      if (start === 0 || !isExact) found.push({ rule, rank: nameRank(rule, form) });
    }
    found.push(...(patterns.get(suffix) ?? []).flatMap((rule) => patternMatch(rule, labels)));
  }
  return found;
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Most specific first. Equals decide alike; `private`, the text and the id order them for good. */
function compareMatches(a: Match, b: Match): number {
  for (const [index, value] of a.rank.entries()) {
    const difference = (b.rank[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  const isPrivate = Number(b.rule.private) - Number(a.rule.private);
  return isPrivate || byText(a.rule.text, b.rule.text) || a.rule.id - b.rule.id;
}

/** The order in which groups of rules are asked. */
function groupOf(rule: Rule): 'runner' | 'user' | 'auto' {
  if (rule.runnerHost === true) return 'runner';
  return rule.autoAllowedType === undefined ? 'user' : 'auto';
}

function cellsOf(rules: readonly Rule[]): readonly NameCell[] {
  const cells: NameCell[] = [];
  let open = everyPair();
  for (const rule of rules) {
    const own = pairsOf(rule.ports, rule.action);
    const pairs = intersect(own, open);
    if (isEmpty(pairs)) continue;
    cells.push({ rule, pairs });
    open = subtract(open, own);
  }
  return cells;
}

function pairsWith(cells: readonly NameCell[], action: Action): PairSet {
  return cells
    .filter((cell) => cell.rule.action === action)
    .reduce((sum, cell) => union(sum, cell.pairs), emptyPairs());
}

/**
 * Decides a canonical name. User rules first, auto-allowed ones where no user rule covers the
 * pair; for a `runner` process runner hosts come before both, for all others they don't exist.
 */
export function decideName(
  policy: Policy,
  name: string,
  asker: { readonly runner: boolean },
): NameDecision {
  const matches = formsOf(name, policy.searchDomains)
    .flatMap((form) => matchesOf(policy, form))
    .sort(compareMatches);
  const groups = asker.runner ? ['runner', 'user', 'auto'] : ['user', 'auto'];
  const ordered = groups.flatMap((group) =>
    matches.filter((match) => groupOf(match.rule) === group).map((match) => match.rule),
  );
  const rules = [...new Set(ordered)];
  const cells = cellsOf(rules);
  const allow = pairsWith(cells, 'allow');
  const deny = pairsWith(cells, 'deny');
  const byPair = (protocol: Protocol, port: number): PairDecision => {
    const cell = cells.find(({ pairs }) => has(pairs, protocol, port));
    return { verdict: cell?.rule.action ?? policy.default, rule: cell?.rule ?? null };
  };
  return { allow, deny, rest: subtract(everyPair(), union(allow, deny)), byPair, rules, cells };
}
