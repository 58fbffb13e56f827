// The same target allowed and denied on the same pair: the deny wins, which may surprise.
import type { PortItem } from '../net/pair-set.ts';
import type { RuleDraft } from './parse-list.ts';
import type { Action } from './policy.ts';
import { type PolicyProblem, warningAt } from './problem.ts';

/** Rules of one target and action, by what they cover. */
interface Covered {
  /** Of every port. */
  all: RuleDraft | undefined;
  /** The first with a port of TCP or UDP, and the first of ICMP. */
  port: RuleDraft | undefined;
  icmp: RuleDraft | undefined;
  readonly byPair: Map<string, RuleDraft>;
}

function pairKeys({ port, protocol }: PortItem): readonly string[] {
  if (protocol === 'icmp') return ['icmp'];
  const protocols = protocol === 'both' ? ['tcp', 'udp'] : [protocol];
  return protocols.map((one) => `${one} ${port}`);
}

function note(covered: Covered, rule: RuleDraft): void {
  if (rule.ports === null) {
    covered.all ??= rule;
    return;
  }
  for (const item of rule.ports) {
    if (item.protocol === 'icmp') covered.icmp ??= rule;
    else covered.port ??= rule;
    for (const key of pairKeys(item)) {
      if (!covered.byPair.has(key)) covered.byPair.set(key, rule);
    }
  }
}

/** Without ports an allow covers TCP and UDP, a deny ICMP too. */
function overlapping(rule: RuleDraft, other: Covered): RuleDraft | undefined {
  if (rule.ports === null) {
    const icmp = rule.action === 'deny' ? other.icmp : undefined;
    return other.all ?? other.port ?? icmp;
  }
  for (const item of rule.ports) {
    const isCovered = item.protocol !== 'icmp' || rule.action === 'allow';
    const all = isCovered ? other.all : undefined;
    const found = all ?? pairKeys(item).flatMap((key) => other.byPair.get(key) ?? [])[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A warning for each rule that an earlier one of the same target contradicts on some pair. */
export function contradictions(rules: readonly RuleDraft[]): readonly PolicyProblem[] {
  const byTarget = new Map<string, Record<Action, Covered>>();
  const empty = (): Covered => ({
    all: undefined,
    port: undefined,
    icmp: undefined,
    byPair: new Map(),
  });
  return rules.flatMap((rule) => {
    const known = byTarget.get(rule.text) ?? { allow: empty(), deny: empty() };
    byTarget.set(rule.text, known);
    const other = overlapping(rule, known[rule.action === 'allow' ? 'deny' : 'allow']);
    note(known[rule.action], rule);
    if (other === undefined) return [];
    const { source, line, column } = other.where;
    const message = `${rule.text} is allowed and denied on the same port (see ${source} line ${line} column ${column}): the deny wins`;
    return [warningAt(rule.where, rule.text, message)];
  });
}
