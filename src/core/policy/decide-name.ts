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
  /** The form of the name that it matches. */
  readonly form: string;
}

const CLUSTER_SUFFIX = 'cluster.local';
const DOT = 0x2e;

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
  const fits = (suffix: string) => isBelow(name, suffix);
  const [longest] = searchDomains.filter(fits).toSorted((a, b) => b.length - a.length);
  const suffixes = longest === undefined ? [] : [longest];
  if (fits(CLUSTER_SUFFIX)) {
    const namespace = name.split('.').at(-4) ?? '';
    const services = `svc.${CLUSTER_SUFFIX}`;
    suffixes.push(...[CLUSTER_SUFFIX, services, `${namespace}.${services}`].filter(fits));
  }
  if (suffixes.length === 0) return [name];
  return [...new Set([name, ...suffixes.map((suffix) => name.slice(0, -suffix.length - 1))])];
}

/** Whether `name` ends in `.suffix` and has something before it. */
function isBelow(name: string, suffix: string): boolean {
  const dot = name.length - suffix.length - 1;
  return dot > 0 && name.charCodeAt(dot) === DOT && name.endsWith(suffix);
}

function nameRank(rule: Rule, form: string): Rank {
  const { target } = rule;
  if (target.kind !== 'name') return [];
  const literals = target.name.split('.').length;
  const kind = target.exact ? 4 : target.name === form ? 3 : 0;
  return [literals, kind, 0, rule.action === 'deny' ? 1 : 0];
}

function patternRank(rule: Rule): Rank {
  if (rule.target.kind !== 'pattern') return [];
  const { labels } = rule.target;
  const literals = labels.filter((label) => !isWildcard(label)).length;
  return [literals, labels.includes('**') ? 1 : 2, labels.length, rule.action === 'deny' ? 1 : 0];
}

function rankOf({ rule, form }: Match): Rank {
  return rule.target.kind === 'pattern' ? patternRank(rule) : nameRank(rule, form);
}

/** Adds the matches of the rules whose last literal labels are those of `form` from `start` on. */
function addMatchesAt(found: Match[], index: NameIndex, form: string, start: number): void {
  const suffix = start === 0 ? form : form.slice(start);
  for (const rule of index.names.get(suffix) ?? []) {
    const isExact = rule.target.kind === 'name' && rule.target.exact;
    if (start === 0 || !isExact) found.push({ rule, form });
  }
  const patterns = index.patterns.get(suffix);
  if (patterns === undefined) return;
  const labels = form.split('.');
  for (const rule of patterns) {
    const { target } = rule;
    if (target.kind === 'pattern' && matchesPattern(target.labels, labels)) {
      found.push({ rule, form });
    }
  }
}

/** Adds every match of a form: at the whole of it, behind each of its dots, and at nothing. */
function addMatches(found: Match[], policy: Policy, form: string): void {
  const index = indexOf(policy);
  let start = 0;
  do {
    addMatchesAt(found, index, form, start);
    start = form.indexOf('.', start) + 1;
  } while (start > 0);
  addMatchesAt(found, index, form, form.length);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Most specific first. Equals decide alike; `private`, the text and the id order them for good. */
function compareMatches(a: Match, b: Match): number {
  const rank = rankOf(b);
  for (const [index, value] of rankOf(a).entries()) {
    const difference = (rank[index] ?? 0) - value;
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

/** The rules that match a canonical name, most specific first, whoever asks. */
export function rulesMatching(policy: Policy, name: string): readonly Rule[] {
  const matches: Match[] = [];
  for (const form of formsOf(name, policy.searchDomains)) addMatches(matches, policy, form);
  const [first] = matches;
  if (first === undefined || matches.length === 1) return first === undefined ? [] : [first.rule];
  return [...new Set(matches.sort(compareMatches).map(({ rule }) => rule))];
}

/** The cells of rules that match, in the order in which they are asked. */
export function cellsFor(
  matching: readonly Rule[],
  asker: { readonly runner: boolean },
): readonly NameCell[] {
  return cellsOf(inGroups(matching, asker.runner));
}

function inGroups(matching: readonly Rule[], isRunner: boolean): readonly Rule[] {
  const groups = isRunner ? ['runner', 'user', 'auto'] : ['user', 'auto'];
  return groups.flatMap((group) => matching.filter((rule) => groupOf(rule) === group));
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
  const rules = inGroups(rulesMatching(policy, name), asker.runner);
  const cells = cellsOf(rules);
  const allow = pairsWith(cells, 'allow');
  const deny = pairsWith(cells, 'deny');
  const byPair = (protocol: Protocol, port: number): PairDecision => {
    const cell = cells.find(({ pairs }) => has(pairs, protocol, port));
    return { verdict: cell?.rule.action ?? policy.default, rule: cell?.rule ?? null };
  };
  return { allow, deny, rest: subtract(everyPair(), union(allow, deny)), byPair, rules, cells };
}
