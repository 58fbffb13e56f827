// What the policy says about one host or address and why. It knows no answers: an address is
// explained by address rules and the default.
import { type Address, printAddress } from '../net/address.ts';
import { isEmpty, type PortItem } from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';
import { loopbackLength, opensPort53 } from './decide.ts';
import { decideAddress, rulesContaining } from './decide-address.ts';
import { decideName } from './decide-name.ts';
import type { Action, Policy, Rule } from './policy.ts';

/** What to explain. */
export type Subject =
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'address'; readonly address: Address };

/** A rule as `explain` prints it. */
export interface ExplainedRule {
  readonly target: string;
  readonly action: Action;
  readonly ports: readonly PortItem[] | null;
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

/** What decides; `denial` needs answers and is never printed without them. */
export type ExplainedBy = 'rule' | 'auto' | 'denial' | 'local' | 'steered' | 'default';

interface PairVerdict {
  readonly verdict: Action;
  readonly by: ExplainedBy;
  readonly rule: ExplainedRule | null;
}

/** A maximal run of ports that are decided alike; ICMP is 0 to 0. */
export interface ExplainedRange extends PairVerdict {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

interface Common {
  readonly host?: string;
  readonly address?: string;
  /** The addresses of a name that the machine itself answers, as far as they are known. */
  readonly local?: readonly string[];
  /** What the proxy does with the question; null for an address. */
  readonly dns: 'answer' | 'refuse' | null;
  /** Whether an answer with this address opens nothing; null for a host. */
  readonly guarded: boolean | null;
  /** Every rule that speaks of the subject, the first to be asked first. */
  readonly considered: readonly ExplainedRule[];
}

/** The whole explanation: of one pair, or of all of them. */
export type Explanation = Common &
  (
    | (PairVerdict & { readonly port: number; readonly protocol: Protocol })
    | { readonly pairs: readonly ExplainedRange[] }
  );

/** One (protocol, port) pair. */
export interface Pair {
  readonly protocol: Protocol;
  readonly port: number;
}

function explained({ text, action, ports, where }: Rule): ExplainedRule {
  const { source, line, column } = where;
  return { target: text, action, ports, source, line, column };
}

function byRule(rule: Rule | null | undefined, fallback: Action): PairVerdict {
  if (rule === null || rule === undefined) return { verdict: fallback, by: 'default', rule: null };
  const by = rule.autoAllowedType === undefined ? 'rule' : 'auto';
  return { verdict: rule.action, by, rule: explained(rule) };
}

const STEERED: PairVerdict = { verdict: 'deny', by: 'steered', rule: null };
const LOCAL: PairVerdict = { verdict: 'allow', by: 'local', rule: null };

interface Judge {
  readonly at: (pair: Pair) => PairVerdict;
  readonly considered: readonly Rule[];
}

function isDns({ protocol, port }: Pair): boolean {
  return port === 53 && protocol !== 'icmp';
}

function nameJudge(policy: Policy, host: string): Judge {
  const decision = decideName(policy, host, { runner: false });
  return {
    considered: decision.rules,
    at: (pair) => {
      if (isDns(pair)) return STEERED;
      return byRule(decision.byPair(pair.protocol, pair.port).rule, policy.default);
    },
  };
}

function addressJudge(policy: Policy, address: Address): Judge {
  const considered = rulesContaining(policy, address, 'user').map(({ rule }) => rule);
  const local = loopbackLength(address);
  return {
    considered,
    at: (pair) => {
      const found = decideAddress(policy, address, pair.protocol, pair.port);
      // Of loopback only a deny that lies wholly inside it speaks.
      const isDenied = found?.rule.action === 'deny' && found.prefix.length >= (local ?? 0);
      if (local !== undefined && !isDenied) return LOCAL;
      if (local === undefined && isDns(pair) && !(found !== undefined && opensPort53(found)))
        return STEERED;
      return byRule(found?.rule, policy.default);
    },
  };
}

/** Ports where a decision may change, in order. */
function borders(rules: readonly Rule[]): readonly number[] {
  const named = rules.flatMap((rule) => (rule.ports ?? []).map((item) => item.port));
  const starts = [53, ...named].flatMap((port) => [port, port + 1]);
  const inside = starts.filter((port) => port > 1 && port <= 65_535);
  return [...new Set([1, ...inside])].sort((a, b) => a - b);
}

function alike(a: PairVerdict, b: PairVerdict): boolean {
  return (
    a.verdict === b.verdict && a.by === b.by && JSON.stringify(a.rule) === JSON.stringify(b.rule)
  );
}

function allRanges(judge: Judge): readonly ExplainedRange[] {
  const ranges: ExplainedRange[] = [];
  const starts = borders(judge.considered);
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const [index, from] of starts.entries()) {
      const to = (starts[index + 1] ?? 65_536) - 1;
      const verdict = judge.at({ protocol, port: from });
      const last = ranges.at(-1);
      if (last?.protocol === protocol && alike(last, verdict))
        ranges[ranges.length - 1] = { ...last, to };
      else ranges.push({ protocol, from, to, ...verdict });
    }
  }
  return [
    ...ranges,
    { protocol: 'icmp', from: 0, to: 0, ...judge.at({ protocol: 'icmp', port: 0 }) },
  ];
}

/** A name that the machine answers: no grant, so its addresses alone decide; a refused one is told. */
function localJudge(policy: Policy, addresses: readonly Address[]): Judge {
  const judges = addresses.map((address) => addressJudge(policy, address));
  return {
    considered: [...new Set(judges.flatMap(({ considered }) => considered))],
    at: (pair) => {
      const all = judges.map((judge) => judge.at(pair));
      const unknown = isDns(pair) ? STEERED : byRule(null, policy.default);
      return all.find(({ verdict }) => verdict === 'deny') ?? all[0] ?? unknown;
    },
  };
}

/** The gate's answer to a question for the host by a process of the job. */
function gate(policy: Policy, host: string): 'answer' | 'refuse' {
  const decision = decideName(policy, host, { runner: false });
  const isDeniedWhole = isEmpty(decision.allow) && isEmpty(decision.rest);
  if (isDeniedWhole) return 'refuse';
  if (!isEmpty(decision.allow)) return 'answer';
  if (policy.searchDomains.some((suffix) => host.endsWith(`.${suffix}`))) return 'answer';
  return policy.default === 'allow' ? 'answer' : 'refuse';
}

/** What DNS knows without answers. */
export interface DnsFacts {
  /** The rebinding guard's space. */
  readonly isGuarded: (address: Address) => boolean;
  /** Names that the machine answers by itself. */
  readonly localAddresses: (host: string) => readonly Address[] | undefined;
}

function asked(
  policy: Policy,
  subject: Subject,
  facts: DnsFacts,
): { readonly judge: Judge; readonly what: Omit<Common, 'considered'> } {
  if (subject.kind === 'address') {
    const { address } = subject;
    const guarded = facts.isGuarded(address);
    const what = { address: printAddress(address), dns: null, guarded };
    return { judge: addressJudge(policy, address), what };
  }
  const { host } = subject;
  const local = facts.localAddresses(host);
  if (local === undefined) {
    const what = { host, dns: gate(policy, host), guarded: null };
    return { judge: nameJudge(policy, host), what };
  }
  const what = { host, local: local.map(printAddress), dns: 'answer', guarded: null } as const;
  return { judge: localJudge(policy, local), what };
}

/** Explains one pair, or without one every pair. */
export function explain(
  policy: Policy,
  subject: Subject,
  pair: Pair | undefined,
  facts: DnsFacts,
): Explanation {
  const { judge, what } = asked(policy, subject, facts);
  const common: Common = { ...what, considered: judge.considered.map(explained) };
  if (pair === undefined) return { ...common, pairs: allRanges(judge) };
  return { ...common, port: pair.port, protocol: pair.protocol, ...judge.at(pair) };
}

/** Whether any explained pair is allowed. */
export function allowsAny(explanation: Explanation): boolean {
  if ('pairs' in explanation) return explanation.pairs.some(({ verdict }) => verdict === 'allow');
  return explanation.verdict === 'allow';
}
