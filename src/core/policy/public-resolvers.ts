// Resolvers of the public that answer DNS over HTTPS or TLS: a rule that opens one opens a way for any
// name. Names and addresses as their operators publish them (the list of public servers in curl's wiki,
// "DNS over HTTPS", leads to each).

import { parseAddress } from '../net/address.ts';
import { contains, parsePrefix, prefixOf } from '../net/cidr.ts';
import { intersect, isEmpty, type PairSet, pairsOf } from '../net/pair-set.ts';
import { matchesPattern } from './host-pattern.ts';
import type { RuleDraft } from './parse-list.ts';
import type { Target } from './policy.ts';
import { type PolicyProblem, warningAt } from './problem.ts';

const NAMES = [
  'dns.google',
  'dns.google.com',
  'cloudflare-dns.com',
  'mozilla.cloudflare-dns.com',
  'one.one.one.one',
  'dns.quad9.net',
  'dns10.quad9.net',
  'doh.opendns.com',
  'dns.umbrella.com',
  'dns.adguard-dns.com',
  'dns.nextdns.io',
  'doh.cleanbrowsing.org',
  'dns.controld.com',
  'dns.mullvad.net',
  'doh.dns.sb',
  'ordns.he.net',
  'dns.alidns.com',
  'doh.pub',
];

const ADDRESSES = [
  '8.8.8.8',
  '8.8.4.4',
  '1.1.1.1',
  '1.0.0.1',
  '9.9.9.9',
  '149.112.112.112',
  '208.67.222.222',
  '208.67.220.220',
  '94.140.14.14',
  '2001:4860:4860::8888',
  '2606:4700:4700::1111',
  '2620:fe::fe',
];

/** HTTPS, HTTP/3, DNS over TLS and over QUIC. */
const PORTS: PairSet = pairsOf(
  [
    { port: 443, protocol: 'both' },
    { port: 853, protocol: 'both' },
  ],
  'allow',
);

function opens(pairs: PairSet): boolean {
  return !isEmpty(intersect(pairs, PORTS));
}

function matches(target: Exclude<Target, { readonly kind: 'prefix' }>, name: string): boolean {
  if (target.kind === 'pattern') return matchesPattern(target.labels, name.split('.'));
  return name === target.name || (!target.exact && name.endsWith(`.${target.name}`));
}

/** The first public resolver that a rule of its own would open; undefined when it opens none. */
function resolverOpenedBy(rule: RuleDraft): string | undefined {
  if (rule.action !== 'allow' || !opens(pairsOf(rule.ports, 'allow'))) return undefined;
  const { target } = rule;
  if (target.kind === 'prefix') {
    const address = parseAddress(target.text);
    const prefix = address === undefined ? parsePrefix(target.text) : prefixOf(address);
    return ADDRESSES.find((text) => {
      const one = parseAddress(text);
      return prefix !== undefined && one !== undefined && contains(prefix, one);
    });
  }
  return NAMES.find((name) => matches(target, name));
}

/** A warning for each rule that lets the job ask a public resolver past the proxy. */
export function publicResolverWarnings(rules: readonly RuleDraft[]): readonly PolicyProblem[] {
  return rules.flatMap((rule) => {
    const resolver = resolverOpenedBy(rule);
    if (resolver === undefined) return [];
    const what = rule.text === resolver ? resolver : `${rule.text} opens ${resolver}, which`;
    const message = `${what} answers DNS over HTTPS: any name can be asked there, and data sent in it, unseen by this policy. Leave it out, or allow the hosts behind it by name`;
    return [warningAt(rule.where, rule.text, message)];
  });
}
