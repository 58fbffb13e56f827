// What is auto-allowed, in the words of the record and the summary (spec 6).
import type { PortItem } from '../net/pair-set.ts';
import type { Policy, Rule } from './policy.ts';

/** Auto-allowed traffic of one type, for the same processes. */
export interface DescribedAutoAllowed {
  readonly type: string;
  readonly whose: 'every step' | 'the runner' | 'the runner and the platform' | 'the daemon';
  /** `=github.com:443/tcp`, in the policy's order. */
  readonly targets: readonly string[];
}

function portText({ port, protocol }: PortItem): string {
  if (protocol === 'icmp') return 'icmp';
  return protocol === 'both' ? String(port) : `${port}/${protocol}`;
}

function targetText({ text, ports }: Rule): string {
  return ports === null ? text : `${text}:${ports.map(portText).join(';')}`;
}

function whoseOf(rule: Rule): DescribedAutoAllowed['whose'] {
  if (rule.runnerHost === true) return 'the runner';
  return rule.target.kind === 'prefix' ? 'the runner and the platform' : 'every step';
}

/** Every auto-allowed rule of a policy, grouped, behind the way to the upstream resolvers. */
export function describeAutoAllowed(
  policy: Policy,
  upstreams: readonly { readonly address: string; readonly port: number }[],
): readonly DescribedAutoAllowed[] {
  const targets = upstreams.map(({ address, port }) =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
  );
  return [{ type: 'dns', whose: 'the daemon', targets }, ...describeRules(policy)];
}

function describeRules(policy: Policy): readonly DescribedAutoAllowed[] {
  const groups = new Map<string, DescribedAutoAllowed & { targets: string[] }>();
  for (const rule of policy.rules) {
    const type = rule.autoAllowedType;
    if (type === undefined) continue;
    const whose = whoseOf(rule);
    const group = groups.get(`${type} ${whose}`) ?? { type, whose, targets: [] };
    group.targets.push(targetText(rule));
    groups.set(`${type} ${whose}`, group);
  }
  return [...groups.values()];
}
