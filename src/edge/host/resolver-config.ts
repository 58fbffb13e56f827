// The machine's resolver configuration: whom we ask, whose port 53 is steered, which names are
// answered without asking.
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { isLinkLocal } from '../../core/dns/guard.ts';
import {
  type Address,
  addressFromNumber,
  parseAddress,
  printAddress,
} from '../../core/net/address.ts';
import { neverLeaves } from '../../core/policy/decide.ts';
import { placesIn, readAt, splitList } from '../../core/policy/parse-list.ts';
import { parsePort } from '../../core/policy/parse-ports.ts';
import { Fault, renderProblem } from '../../core/policy/problem.ts';

const RESOLVED = '/run/systemd/resolve/resolv.conf';
const RESOLV_CONF = '/etc/resolv.conf';
const HOSTS = '/etc/hosts';
const ROUTES = '/proc/net/route';
const STUBS = ['127.0.0.53', '127.0.0.54'];
const MAX_UPSTREAMS = 3;
const DNS_PORT = 53;

/** An upstream resolver. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** What DNS needs to know of a machine. */
export interface ResolverConfig {
  readonly upstreams: readonly Upstream[];
  readonly resolvers: readonly string[];
  readonly localNames: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

/** Reads a file of the system; one that isn't there is empty. */
export type ReadText = (path: string) => string;

/** Reads a file of the system; empty where it can't be read. */
export function readSystemFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function nameservers(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .flatMap((found) => parseAddress(found.replace(/%.*$/, '')) ?? [])
    .map(printAddress);
}

const UPSTREAM_EXPECTED =
  'the address of a resolver with optional port: 192.0.2.53, 192.0.2.53:5353, [2001:db8::1]:53';

function readPort(text: string, at: number): number {
  try {
    return parsePort(text.slice(at));
  } catch (error) {
    throw error instanceof Fault ? error.moved(at) : error;
  }
}

/** Why an address is no resolver to ask; undefined when it is one. */
function unaskable(address: Address, own: readonly string[]): string | undefined {
  if (neverLeaves(address) || own.includes(printAddress(address))) {
    const why = 'its own questions would come back to it. Name the resolver it asks';
    return `a resolver that is not this machine: ${why}`;
  }
  if (!isLinkLocal(address)) return undefined;
  return 'an address of the resolver that is not link-local, such as 2001:db8::53: a link-local one can not be asked';
}

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::1`, `[2001:db8::1]:53`; throws Fault. */
function parseUpstream(
  text: string,
  own: readonly string[],
): Upstream & { readonly notes: readonly [] } {
  const [scoped, bare = ''] = /^\[?([0-9a-f:]+)%[^\]]*(?:\](?::\d+)?)?$/iu.exec(text) ?? [];
  if (scoped !== undefined) parseUpstream(bare, own);
  const [whole = '', v6, plain] =
    /^(?:\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\]|([^:]+))(?=:[^:]*$)/u.exec(text) ?? [];
  const address = parseAddress(v6 ?? plain ?? text.replace(/^\[(.*:.*)\]$/u, '$1'));
  if (address === undefined) throw new Fault(0, text, UPSTREAM_EXPECTED);
  const wrong = unaskable(address, own);
  if (wrong !== undefined) throw new Fault(0, text, wrong);
  const port = whole === '' ? DNS_PORT : readPort(text, whole.length + 1);
  return { address: printAddress(address), port, notes: [] };
}

function detectUpstreams(read: ReadText, own: readonly string[]): readonly Upstream[] {
  const outside = (path: string) =>
    nameservers(read(path)).filter((text) => {
      const address = parseAddress(text);
      return address !== undefined && unaskable(address, own) === undefined;
    });
  const first = outside(RESOLVED);
  const found = first.length > 0 ? first : outside(RESOLV_CONF);
  return found.slice(0, MAX_UPSTREAMS).map((address) => ({ address, port: DNS_PORT }));
}

/** The upstreams the input names, or those of the machine; errors name the input. */
function upstreamsOf(
  input: string,
  read: ReadText,
  own: readonly string[],
  errors: string[],
): readonly Upstream[] {
  const upstreams: Upstream[] = [];
  for (const item of splitList(input)) {
    const found = readAt(item.text, placesIn('input dns-upstream', item), (text) =>
      parseUpstream(text, own),
    );
    errors.push(...found.errors.map(renderProblem));
    const { value } = found;
    if (value !== undefined) upstreams.push({ address: value.address, port: value.port });
  }
  if (upstreams.length > 0 || errors.length > 0) return upstreams;
  const detected = detectUpstreams(read, own);
  if (detected.length === 0) {
    const found = [...new Set([...nameservers(read(RESOLVED)), ...nameservers(read(RESOLV_CONF))])];
    const listed = found.length === 0 ? 'none' : found.join(', ');
    const why = 'this machine itself and link-local addresses can not be asked';
    const remedy =
      "Set the input dns-upstream to another address of the network's resolver, such as 192.0.2.53 or 2001:db8::53";
    errors.push(
      `no resolver to ask: ${RESOLVED} and ${RESOLV_CONF} name ${listed}; ${why}. ${remedy}`,
    );
  }
  return detected;
}

/** The machine's addresses that others reach it at. */
function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((some) => some ?? [])
    .filter(({ internal, address }) => !internal && !/^fe[89ab]/iu.test(address))
    .map(({ address }) => address);
}

/** The IPv4 gateway of the default route (proc_net_route(5): addresses are little-endian hex). */
function gateways(table: string): readonly string[] {
  return table.split('\n').flatMap((line) => {
    const [, destination, gateway = ''] = line.split('\t');
    if (destination !== '00000000' || !/^[0-9A-F]{8}$/u.test(gateway)) return [];
    if (gateway === '00000000') return [];
    const bytes = gateway.match(/../gu) ?? [];
    return [printAddress(addressFromNumber(Number.parseInt(bytes.toReversed().join(''), 16)))];
  });
}

/** Names answered without asking; what the hosts file says of a name is all that is said of it. */
function localNames(read: ReadText, addresses: readonly string[]): ResolverConfig['localNames'] {
  const names = new Map<string, Set<string>>();
  for (const line of read(HOSTS).split('\n')) {
    const [first = '', ...rest] = line.replace(/#.*$/, '').trim().split(/\s+/);
    const address = parseAddress(first);
    if (address === undefined) continue;
    for (const name of rest.map((one) => one.toLowerCase())) {
      names.set(name, (names.get(name) ?? new Set()).add(printAddress(address)));
    }
  }
  const own = hostname().toLowerCase();
  if (!names.has(own)) names.set(own, new Set(addresses));
  if (!names.has('_gateway')) names.set('_gateway', new Set(gateways(read(ROUTES))));
  return [...names].map(([name, its]) => ({ name, addresses: [...its] }));
}

/** A configuration, or every error about it and whether the input or the machine is at fault. */
export type ReadResolvers =
  | { readonly config: ResolverConfig }
  | { readonly fault: 'input' | 'machine'; readonly errors: readonly string[] };

/** The configuration, or every error about it. */
export function readResolverConfig(
  input: string,
  read: ReadText = readSystemFile,
  own: readonly string[] = machineAddresses(),
): ReadResolvers {
  const errors: string[] = [];
  const upstreams = upstreamsOf(input, read, own, errors);
  if (errors.length > 0) return { fault: /^[\s,]*$/.test(input) ? 'machine' : 'input', errors };
  const listed = [...nameservers(read(RESOLVED)), ...nameservers(read(RESOLV_CONF))];
  const resolvers = [...upstreams.map(({ address }) => address), ...listed, ...STUBS];
  return {
    config: { upstreams, resolvers: [...new Set(resolvers)], localNames: localNames(read, own) },
  };
}
