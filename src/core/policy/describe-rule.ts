// A rule of the user's in words: all that it covers is said, what nobody has written too (every port, names below).
import type { PortItem } from '../net/pair-set.ts';
import type { Rule } from './policy.ts';

function portText({ port, protocol }: PortItem): string {
  if (protocol === 'icmp') return 'ICMP';
  return protocol === 'both' ? `port ${port} of TCP and UDP` : `port ${port}/${protocol}`;
}

function portsText({ ports, action }: Rule): string {
  if (ports !== null) return ports.map(portText).join(', ');
  return action === 'allow' ? 'every port of TCP and UDP' : 'every port and protocol';
}

/** `allow example.com and every name below it, every port of TCP and UDP (input allowed-hosts)`. */
export function describeRule(rule: Rule): string {
  const { action, text, target, where } = rule;
  const below = target.kind === 'name' && !target.exact ? ' and every name below it' : '';
  return `${action} ${text}${below}, ${portsText(rule)} (${where.source})`;
}
