// The rule that would allow what was refused, and a policy of all of them to paste. Only canonical
// names and addresses get in: a hostile name makes no rule.
import { parseAddress, printAddress } from '../net/address.ts';
import { canonicalName } from '../policy/host-name.ts';
import { rentedSuffixOf } from '../policy/public-suffix.ts';
import type { Report, Row } from './aggregate.ts';

/** One rule to paste. */
export interface Suggestion {
  readonly key: 'host' | 'cidr';
  /** `=name` or an address. */
  readonly target: string;
  /** `443`, `123/udp`, `icmp`. */
  readonly port: string;
  /** The name was never answered, so the port is a guess. */
  readonly isGuess: boolean;
}

const HTTPS = '443';

function nameOf(host: string): string | undefined {
  try {
    const name = canonicalName(host);
    return name.includes('.') ? name : undefined;
  } catch {
    return undefined;
  }
}

function portOf(row: Row): string | undefined {
  if (row.protocol === 'TCP' && row.port > 0) return String(row.port);
  if (row.protocol === 'UDP' && row.port > 0) return `${row.port}/udp`;
  if (row.protocol === 'ICMP' || row.protocol === 'ICMPv6') return 'icmp';
  return undefined;
}

/** The rule that would allow a refused connection; undefined where no rule can. */
export function suggestForConnection(row: Row): Suggestion | undefined {
  const port = portOf(row);
  if (port === undefined || row.port === 53) return undefined;
  const name = row.host === '' ? undefined : nameOf(row.host);
  if (name !== undefined) return { key: 'host', target: `=${name}`, port, isGuess: false };
  const address = parseAddress(row.address);
  if (address === undefined) return undefined;
  return { key: 'cidr', target: printAddress(address), port, isGuess: false };
}

/** The rule that would allow a refused name; the port is not known. */
export function suggestForName(row: Row): Suggestion | undefined {
  const name = nameOf(row.host);
  if (name === undefined || name.endsWith('.arpa')) return undefined;
  return { key: 'host', target: `=${name}`, port: HTTPS, isGuess: true };
}

/** A suggestion as one entry of an input; ICMP, which no input can say, as a rule of a file. */
export function renderEntry({ key, target, port }: Suggestion): string {
  if (port === 'icmp') return `{ ${key}: "${target}", ports: [{ protocol: icmp }] }`;
  return key === 'cidr' && target.includes(':') ? `[${target}]:${port}` : `${target}:${port}`;
}

function item(port: string): string {
  if (port === 'icmp') return '{ protocol: icmp }';
  return port.includes('/') ? `"${port}"` : port;
}

const LONG_LABEL = 30;

/** What a reader should know of a name before allowing it. */
function doubtsOf(name: string): readonly string[] {
  const suffix = rentedSuffixOf(name);
  const labels = name.split('.');
  return [
    ...(suffix === undefined ? [] : [`anyone can register a name below ${suffix}`]),
    ...(labels.some((label) => label.startsWith('xn--'))
      ? ['letters of other alphabets: it may be one that looks like another name']
      : []),
    ...(labels.some((label) => label.length > LONG_LABEL) ? ['a long label may carry data'] : []),
  ];
}

interface Offer {
  readonly key: string;
  readonly ports: Set<string>;
  isGuess: boolean;
}

/** What to offer by target, and whether there is more than `limit` of it. */
class Offers {
  readonly targets = new Map<string, Offer>();
  hasMore = false;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(suggestion: Suggestion | undefined): void {
    if (suggestion === undefined) return;
    const { key, target, port, isGuess } = suggestion;
    const known = this.targets.get(target);
    if (known === undefined) {
      if (this.targets.size < this.#limit) {
        this.targets.set(target, { key, ports: new Set([port]), isGuess });
      } else this.hasMore = true;
    } else if (!isGuess) {
      if (known.isGuess) known.ports.clear();
      known.ports.add(port);
      known.isGuess = false;
    }
  }
}

function renderRule([target, { key, ports, isGuess }]: readonly [string, Offer]): string {
  const doubts = key === 'host' ? doubtsOf(target.slice(1)) : [];
  const notes = [...(isGuess ? ['the name was refused before a port was known'] : []), ...doubts];
  const why = notes.length === 0 ? '' : `  # ${notes.join('; ')}`;
  return `  - ${key}: "${target}"\n    ports: [${[...ports].map(item).join(', ')}]${why}`;
}

/** A policy file that allows what was refused, `limit` targets at most; undefined when nothing was. */
export function suggestPolicy(
  report: Report,
  limit = Number.POSITIVE_INFINITY,
): string | undefined {
  const offers = new Offers(limit);
  for (const [rows, suggest] of [
    [report.blocked, suggestForConnection],
    [report.dns, suggestForName],
  ] as const) {
    for (const row of rows) {
      if (offers.hasMore) break;
      if (row.rule === '') offers.add(suggest(row));
    }
  }
  if (offers.targets.size === 0) return undefined;
  const rules = [...offers.targets].map(renderRule).join('\n');
  const more = offers.hasMore ? "# more are in the artifact's policy.suggested.yml\n" : '';
  return `version: 1\nrules:\n${rules}\n${more}`;
}
