// One item of `rules` in a policy file -> a rule.
import type { PortItem } from '../net/pair-set.ts';
import type { DocumentNode, MapEntry } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import { checkTarget, type EntryKind, PORT_53_MESSAGE } from './parse-entry.ts';
import { draftOf, type RuleDraft } from './parse-list.ts';
import { parsePort, parsePortItem } from './parse-ports.ts';
import { cutEntry, parseTarget } from './parse-target.ts';
import type { Action, Target } from './policy.ts';
import { Fault } from './problem.ts';

const KEYS = ['host', 'cidr', 'ports', 'action', 'private', 'steps', 'reason'] as const;
const PORT_EXPECTED = 'a port, "443/tcp", { port: 443, protocol: tcp } or { protocol: icmp }';

function parseBareTarget(text: string, kind: EntryKind) {
  const blank = text.search(/\s/u);
  if (blank >= 0) throw new Fault(blank, text.slice(blank), 'a target without blanks');
  const { target: targetText, portsAt } = cutEntry(text);
  const target = parseTarget(targetText);
  const notes = checkTarget(target, targetText, kind);
  if (portsAt !== undefined) {
    throw new Fault(
      portsAt - 1,
      text.slice(portsAt - 1),
      'a target without ports: they go in "ports"',
    );
  }
  return { target, notes };
}

function readPortMap(reader: DocumentReader, node: DocumentNode): PortItem | undefined {
  const keys = reader.map(node, ['port', 'protocol']);
  if (keys === undefined) return undefined;
  const protocol = readProtocol(reader, keys.get('protocol'));
  const port = keys.get('port')?.value;
  if (protocol === 'icmp') {
    if (port === undefined) return { port: 0, protocol };
    return reader.wrong(port, 'no port: ICMP has none');
  }
  if (port === undefined) {
    reader.fail(node.end, '', 'a port');
    return undefined;
  }
  if (port.kind !== 'scalar') return reader.wrong(port, 'a port');
  const read = reader.text(port, (text) => ({ port: parsePort(text), notes: [] }));
  return read && protocol && { port: read.port, protocol };
}

/** `both` when absent, undefined when wrong. */
function readProtocol(
  reader: DocumentReader,
  entry: MapEntry | undefined,
): PortItem['protocol'] | undefined {
  if (entry === undefined) return 'both';
  const node = entry.value;
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
  const known = text.toLowerCase();
  if (known === 'tcp' || known === 'udp' || known === 'icmp') return known;
  return reader.wrong(node, 'tcp, udp or icmp');
}

function readPort(reader: DocumentReader, node: DocumentNode): PortItem | undefined {
  if (node.kind === 'map') return readPortMap(reader, node);
  if (
    node.kind !== 'scalar' ||
    (typeof node.value !== 'number' && typeof node.value !== 'string')
  ) {
    return reader.wrong(node, PORT_EXPECTED);
  }
  return reader.text(node, (text) => ({ ...parsePortItem(text), notes: [] }));
}

function readPorts(
  reader: DocumentReader,
  entry: MapEntry | undefined,
): readonly PortItem[] | null {
  if (entry === undefined) return null;
  const node = entry.value;
  const nodes = node.kind === 'list' ? node.items : [node];
  if (nodes.length === 0) reader.wrong(node, 'at least one port; leave "ports" out for every port');
  const items = nodes.flatMap((item) => readPort(reader, item) ?? []);
  return items.map(({ port, protocol }) => ({ port, protocol }));
}

function readTarget(
  reader: DocumentReader,
  node: DocumentNode,
  keys: ReadonlyMap<string, MapEntry>,
  kind: Omit<EntryKind, 'takes'>,
): { readonly target: Target; readonly at: DocumentNode } | undefined {
  const host = keys.get('host');
  const cidr = keys.get('cidr');
  const entry = host ?? cidr;
  if (entry === undefined) {
    reader.fail(node.end, '', 'host or cidr');
    return undefined;
  }
  if (host !== undefined && cidr !== undefined) {
    reader.fail(cidr.keyStart, 'cidr', 'either host or cidr, not both');
  }
  const takes = entry === host ? 'hosts' : 'cidrs';
  const scalar = reader.string(entry.value, takes === 'hosts' ? 'a host' : 'an address or a CIDR');
  const read = scalar && reader.text(scalar, (text) => parseBareTarget(text, { ...kind, takes }));
  return read && { target: read.target, at: entry.value };
}

function checkPlainKeys(reader: DocumentReader, keys: ReadonlyMap<string, MapEntry>): void {
  const steps = keys.get('steps');
  if (steps !== undefined) {
    reader.fail(steps.keyStart, 'steps', 'no rules per step: they are not supported yet');
  }
}

/** One rule; undefined, with the errors noted, when it can't be used. */
export function parseRuleNode(
  reader: DocumentReader,
  node: DocumentNode,
  allowBroad: boolean,
): RuleDraft | undefined {
  const keys = reader.map(node, KEYS);
  if (keys === undefined) return undefined;
  const action: Action = reader.oneOf(keys.get('action'), ['allow', 'deny']) ?? 'allow';
  const read = readTarget(reader, node, keys, { action, allowBroad });
  const portsEntry = keys.get('ports');
  const ports = readPorts(reader, portsEntry);
  checkPlainKeys(reader, keys);
  const reasonEntry = keys.get('reason');
  const reason = reasonEntry && reader.string(reasonEntry.value, 'a text');
  const isPrivate = reader.boolean(keys.get('private')) ?? false;
  if (read === undefined) return undefined;
  const has53 = ports?.some((item) => item.port === 53) === true;
  if (has53 && read.target.kind !== 'prefix') {
    reader.warn(portsEntry?.value.start ?? node.start, '53', PORT_53_MESSAGE);
  }
  const kind: EntryKind = { action, allowBroad, takes: 'any' };
  const draft = draftOf({ target: read.target, ports }, kind, reader.place(read.at.start));
  return {
    ...draft,
    private: isPrivate,
    ...(typeof reason?.value === 'string' ? { reason: reason.value } : {}),
  };
}
