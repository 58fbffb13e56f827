// target = host | ipv4 | ipv6 | "[" ipv6 "]" | cidr, and the place where its ports start.
import { isIPv4, parseAddress, printAddress } from '../net/address.ts';
import { parsePrefixParts, printPrefix } from '../net/cidr.ts';
import { parseHost } from './host-pattern.ts';
import type { Target } from './policy.ts';
import { Fault } from './problem.ts';

/** An entry cut in two; `portsAt` is undefined without ports. */
export interface CutEntry {
  readonly target: string;
  readonly portsAt: number | undefined;
}

const IPV6_LIKE = /^(?=(?:[^:]*:){2})[0-9a-fA-F:.]*(?:%.*)?$/u;
/** Meant as IPv6, with characters that are none of its own: "::" behind groups, or a first group with a digit and a second colon. */
const IPV6_MEANT = /^(?:::|(?:[\da-f]{1,4}:)+:|(?=[a-f]*\d)[\da-f]{1,4}:[^:]*:)/iu;
const IPV6_EXPECTED =
  'an IPv6 address: groups of at most four hexadecimal digits, eight of them or "::" once';
const IPV4_LIKE = /^[\d.]+$/u;

function isIPv6Like(text: string): boolean {
  return IPV6_LIKE.test(text) || IPV6_MEANT.test(text);
}

function cutAt(text: string, colon: number): CutEntry {
  if (colon < 0) return { target: text, portsAt: undefined };
  return { target: text.slice(0, colon), portsAt: colon + 1 };
}

function cutBracketed(text: string): CutEntry {
  const close = text.indexOf(']');
  if (close < 0) throw new Fault(text.length, '', '"]" behind the IPv6 address');
  if (close + 1 < text.length && text[close + 1] !== ':') {
    // The address stands further left: its own fault comes first.
    parseTarget(text.slice(0, close + 1));
    throw new Fault(close + 1, text.slice(close + 1), '":" and ports, or the end, behind "]"');
  }
  return cutAt(text, close + 1 < text.length ? close + 1 : -1);
}

/** Where the target of an entry ends and its ports start; throws Fault. */
export function cutEntry(text: string): CutEntry {
  if (text.startsWith('[')) return cutBracketed(text);
  const scheme = text.indexOf('://');
  if (scheme > 0) throw new Fault(0, text, 'a host, not a URL: leave out scheme and path');
  const slash = text.indexOf('/');
  const head = slash < 0 ? text : text.slice(0, slash);
  if (slash >= 0 && (isIPv6Like(head) || !head.includes(':'))) {
    return cutAt(text, text.lastIndexOf(':') > slash ? text.lastIndexOf(':') : -1);
  }
  return isIPv6Like(head) ? cutAt(text, -1) : cutAt(text, text.indexOf(':'));
}

const FURTHER_PORT = '; a further port of an entry stands behind ";"';

function addressFault(text: string, at = 0, hint = ''): Fault {
  const zone = text.indexOf('%');
  if (zone >= 0) return new Fault(at + zone, text.slice(zone), 'an address without a zone id');
  if (text.includes(':')) return new Fault(at, text, IPV6_EXPECTED);
  return new Fault(at, text, `a plain dotted-decimal IPv4 address${hint}`);
}

function parseCidr(text: string, slash: number): Target {
  const head = text.slice(0, slash);
  const tail = text.slice(slash + 1);
  const prefix = parsePrefixParts(head, tail);
  if (!('kind' in prefix)) return { kind: 'prefix', text: printPrefix(prefix) };
  if (prefix.kind === 'address') throw addressFault(head);
  if (prefix.kind === 'host-bits') {
    throw new Fault(0, text, `${prefix.corrected}: bits behind the prefix length must be zero`);
  }
  const hint = prefix.limit === 128 && tail.includes('/') ? '; ports come last' : '';
  throw new Fault(slash + 1, tail, `a prefix length from 0 to ${prefix.limit}${hint}`);
}

function prefixTarget(text: string): Target | undefined {
  const address = parseAddress(text);
  return address && { kind: 'prefix', text: printAddress(address) };
}

function parseBracketed(text: string): Target {
  const inner = text.slice(1, -1);
  const address = inner.includes(':') ? parseAddress(inner) : undefined;
  if (address === undefined)
    throw inner === '' ? new Fault(1, '', 'an IPv6 address') : bracketFault(inner);
  return { kind: 'prefix', text: printAddress(address) };
}

function bracketFault(inner: string): Fault {
  return inner.includes('%') ? addressFault(inner, 1) : new Fault(1, inner, IPV6_EXPECTED);
}

/** A target without ports; throws Fault at the wrong part. */
export function parseTarget(text: string): Target {
  if (text === '') throw new Fault(0, '', 'a host, an address or a CIDR');
  if (text.startsWith('[')) return parseBracketed(text);
  const bare = text.startsWith('=') ? text.slice(1) : text;
  const slash = bare.indexOf('/');
  const head = slash < 0 ? bare : bare.slice(0, slash);
  const isAddressLike = isIPv6Like(head) || (IPV4_LIKE.test(head) && /\d/u.test(head));
  if (!isAddressLike) return parseHost(text);
  if (bare !== text) throw new Fault(0, text, 'a name behind "=": an address is exact already');
  if (slash >= 0) return parseCidr(text, slash);
  const target = prefixTarget(text);
  if (target === undefined)
    throw addressFault(text, 0, /^\d{1,5}$/u.test(text) ? FURTHER_PORT : '');
  return target;
}

/** The last group of a bare IPv6 address when it could be meant as a port. */
export function possiblePort(text: string): string | undefined {
  const colon = text.lastIndexOf(':');
  const last = text.slice(colon + 1);
  const address = parseAddress(text);
  if (address === undefined || (isIPv4(address) && last.includes('.'))) return undefined;
  if (colon < 0 || !/^[1-9]\d{0,4}$/u.test(last) || Number(last) > 65_535) return undefined;
  const before = text.slice(0, colon);
  const isWhole = parseAddress(before) ?? parseAddress(`${before}:`);
  return isWhole === undefined ? undefined : last;
}
