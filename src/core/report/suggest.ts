// The rule that would allow what was refused, and a policy of all of them to paste. Only canonical
// names and addresses get in: a hostile name makes no rule.
import { parseAddress, printAddress } from '../net/address.ts';
import { canonicalName } from '../policy/host-name.ts';
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

/** A suggestion as one entry of an input. */
export function renderEntry({ key, target, port }: Suggestion): string {
  if (port === 'icmp') return target;
  return key === 'cidr' && target.includes(':') ? `[${target}]:${port}` : `${target}:${port}`;
}

function item(port: string): string {
  if (port === 'icmp') return '{ protocol: icmp }';
  return port.includes('/') ? `"${port}"` : port;
}

/** A policy file that allows all that was refused; undefined when nothing was. */
export function suggestPolicy(report: Report): string | undefined {
  const targets = new Map<string, { key: string; ports: Set<string>; isGuess: boolean }>();
  const add = (suggestion: Suggestion | undefined) => {
    if (suggestion === undefined) return;
    const { key, target, port, isGuess } = suggestion;
    const known = targets.get(target);
    if (known === undefined) targets.set(target, { key, ports: new Set([port]), isGuess });
    else if (!isGuess) {
      if (known.isGuess) known.ports.clear();
      known.ports.add(port);
      known.isGuess = false;
    }
  };
  for (const row of report.blocked) if (row.rule === '') add(suggestForConnection(row));
  for (const row of report.dns) if (row.rule === '') add(suggestForName(row));
  if (targets.size === 0) return undefined;
  const rules = [...targets].map(([target, { key, ports, isGuess }]) => {
    const why = isGuess ? '  # the name was refused before a port was known' : '';
    return `  - ${key}: "${target}"\n    ports: [${[...ports].map(item).join(', ')}]${why}`;
  });
  return `version: 1\nrules:\n${rules.join('\n')}\n`;
}
