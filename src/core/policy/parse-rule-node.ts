// One item of `rules` in a policy file -> a rule.
import type { PortItem } from '../net/pair-set.ts';
import type { DocumentNode, MapEntry } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import { checkTarget, type EntryKind, PORT_53_MESSAGE } from './parse-entry.ts';
import { draftOf, type RuleDraft } from './parse-list.ts';
import { cutEntry, parseTarget } from './parse-target.ts';
import type { Action, Target } from './policy.ts';
import { Fault } from './problem.ts';
import { readPorts } from './read-ports.ts';

/** The keys of a rule. */
export const RULE_KEYS = ['host', 'cidr', 'ports', 'action', 'private', 'steps', 'reason'] as const;
/** The other shape's keys. */
const OTHER_KEYS = {
  type: 'host or cidr',
  value: 'host or cidr',
  hostname: 'host',
  domain: 'host',
  name: 'host',
  ip: 'cidr',
  address: 'cidr',
  protocol: 'ports: [{ port: 443, protocol: tcp }]',
};

/** A target without ports; throws Fault. */
export function parseBareTarget(text: string, kind: EntryKind) {
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

function readTarget(
  reader: DocumentReader,
  node: DocumentNode,
  keys: ReadonlyMap<string, MapEntry>,
  kind: Omit<EntryKind, 'takes'>,
): { readonly target: Target; readonly at: DocumentNode } | undefined {
  const host = keys.get('host');
  const cidr = keys.get('cidr');
  const entry = host ?? cidr;
  if (entry === undefined) return reader.missing(node, keys, 'host or cidr');
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

/** Only an allow of a name is ever answered with addresses. */
function warnPrivate(
  reader: DocumentReader,
  keys: ReadonlyMap<string, MapEntry>,
  action: Action,
): void {
  const at = keys.get('private');
  if (at === undefined || (keys.has('host') && action === 'allow')) return;
  const message =
    'private changes nothing here: it speaks of the answers of a host that is allowed';
  reader.warn(at.keyStart, 'private', message);
}

/** Port 53 of a name opens nothing. */
export function warnPort53(
  reader: DocumentReader,
  target: Target,
  ports: readonly PortItem[] | null,
  at: DocumentNode,
): void {
  const has53 = ports?.some((item) => item.port === 53) === true;
  if (has53 && target.kind !== 'prefix') reader.warn(at.start, '53', PORT_53_MESSAGE);
}

/** One rule; undefined, with the errors noted, when it can't be used. */
export function parseRuleNode(
  reader: DocumentReader,
  node: DocumentNode,
  allowBroad: boolean,
): RuleDraft | undefined {
  const keys = reader.map(node, RULE_KEYS, OTHER_KEYS);
  if (keys === undefined) return undefined;
  const action: Action = reader.oneOf(keys.get('action'), ['allow', 'deny']) ?? 'allow';
  const read = readTarget(reader, node, keys, { action, allowBroad });
  const portsEntry = keys.get('ports');
  const ports = readPorts(reader, portsEntry, {
    onEmpty: (at) => reader.wrong(at, 'at least one port; leave "ports" out for every port'),
  });
  checkPlainKeys(reader, keys);
  const reasonEntry = keys.get('reason');
  const reason = reasonEntry && reader.string(reasonEntry.value, 'a text');
  const isPrivate = reader.boolean(keys.get('private')) ?? false;
  if (isPrivate) warnPrivate(reader, keys, action);
  if (read === undefined) return undefined;
  warnPort53(reader, read.target, ports, portsEntry?.value ?? node);
  const kind: EntryKind = { action, allowBroad, takes: 'any' };
  const draft = draftOf({ target: read.target, ports }, kind, reader.place(read.at.start));
  return {
    ...draft,
    private: isPrivate,
    ...(typeof reason?.value === 'string' ? { reason: reason.value } : {}),
  };
}
