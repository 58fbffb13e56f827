// The machine's resolver configuration: whom we ask, whose port 53 is steered, which names are
// answered without asking.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseAddress, printAddress } from '../../core/net/address.ts';
import { neverLeaves } from '../../core/policy/decide.ts';

const RESOLVED = '/run/systemd/resolve/resolv.conf';
const RESOLV_CONF = '/etc/resolv.conf';
const HOSTS = '/etc/hosts';
const STUBS = ['127.0.0.53', '127.0.0.54'];
const MAX_UPSTREAMS = 3;

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

/** `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::1`, `[2001:db8::1]:53`. */
function parseUpstream(text: string): Upstream | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([^:]+)(?::(\d{1,5}))?$/.exec(text);
  const [, host = text, portText = '53'] = bracketed ?? plain ?? [];
  const address = parseAddress(host);
  const port = Number(portText);
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  return { address: printAddress(address), port };
}

function detectUpstreams(read: ReadText): readonly Upstream[] {
  const outside = (path: string) =>
    nameservers(read(path)).filter((text) => {
      const address = parseAddress(text);
      return address !== undefined && !neverLeaves(address);
    });
  const first = outside(RESOLVED);
  const found = first.length > 0 ? first : outside(RESOLV_CONF);
  return found.slice(0, MAX_UPSTREAMS).map((address) => ({ address, port: 53 }));
}

/** The upstreams the input names, or those of the machine; errors name the input. */
function upstreamsOf(input: string, read: ReadText, errors: string[]): readonly Upstream[] {
  const upstreams: Upstream[] = [];
  for (const text of input.split(',').map((part) => part.trim())) {
    if (text === '') continue;
    const upstream = parseUpstream(text);
    const address = upstream === undefined ? undefined : parseAddress(upstream.address);
    if (upstream === undefined || address === undefined) {
      errors.push(`input dns-upstream: found "${text}", expected an address with optional port`);
    } else if (neverLeaves(address)) {
      errors.push(
        `input dns-upstream: "${text}" is on this machine: its own questions would come back to it. Name the resolver it asks`,
      );
    } else {
      upstreams.push(upstream);
    }
  }
  if (upstreams.length > 0 || errors.length > 0) return upstreams;
  const detected = detectUpstreams(read);
  if (detected.length === 0) {
    errors.push(
      `no resolver besides this machine itself in ${RESOLVED} and ${RESOLV_CONF}. Set the input dns-upstream`,
    );
  }
  return detected;
}

function localNames(read: ReadText): ResolverConfig['localNames'] {
  const names = new Map<string, string[]>();
  const add = (name: string, addresses: readonly string[]) => {
    const known = names.get(name) ?? [];
    names.set(name, [...known, ...addresses.filter((one) => !known.includes(one))]);
  };
  add(hostname().toLowerCase(), []);
  add('_gateway', []);
  for (const line of read(HOSTS).split('\n')) {
    const [first = '', ...rest] = line.replace(/#.*$/, '').trim().split(/\s+/);
    const address = parseAddress(first);
    if (address === undefined) continue;
    for (const name of rest) add(name.toLowerCase(), [printAddress(address)]);
  }
  return [...names].map(([name, addresses]) => ({ name, addresses }));
}

/** A configuration, or every error about it and whether the input or the machine is at fault. */
export type ReadResolvers =
  | { readonly config: ResolverConfig }
  | { readonly fault: 'input' | 'machine'; readonly errors: readonly string[] };

/** The configuration, or every error about it. */
export function readResolverConfig(input: string, read: ReadText = readSystemFile): ReadResolvers {
  const errors: string[] = [];
  const upstreams = upstreamsOf(input, read, errors);
  if (errors.length > 0) return { fault: /^[\s,]*$/.test(input) ? 'machine' : 'input', errors };
  const listed = [...nameservers(read(RESOLVED)), ...nameservers(read(RESOLV_CONF))];
  const resolvers = [...upstreams.map(({ address }) => address), ...listed, ...STUBS];
  return {
    config: { upstreams, resolvers: [...new Set(resolvers)], localNames: localNames(read) },
  };
}
