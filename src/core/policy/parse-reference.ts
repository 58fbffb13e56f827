// The reference implementation's shape of a policy file (JSON there, JSON or YAML here):
// defaultAction, rules[] with type, value, ports[] and action, searchDomains, sudoLockdown.
import { type DocumentNode, SCHEMA_KEY } from './document.ts';
import type { DocumentReader } from './document-reader.ts';
import type { EntryKind } from './parse-entry.ts';
import { draftOf, type RuleDraft } from './parse-list.ts';
import { parseBareTarget, warnPort53 } from './parse-rule-node.ts';
import { type PolicyFile, readLockdown, readSearchDomains } from './read-parts.ts';
import { readPorts } from './read-ports.ts';

/** The keys of a file of this shape. */
export const REFERENCE_FILE_KEYS = [
  'rules',
  'defaultAction',
  'searchDomains',
  'sudoLockdown',
  SCHEMA_KEY,
] as const;
/** Keys that our shape has too. */
const SHARED_KEYS: readonly string[] = ['rules', SCHEMA_KEY];
/** The keys of a rule of this shape. */
export const REFERENCE_RULE_KEYS = ['type', 'value', 'ports', 'action', 'autoAddedType'] as const;

/** Our shape's keys. */
const OTHER_FILE_KEYS = {
  default: 'defaultAction',
  'search-domains': 'searchDomains',
  'sudo-lockdown': 'sudoLockdown',
};
const OTHER_RULE_KEYS = { host: 'type: hostname and value', cidr: 'type: cidr and value' };
const OWN_RULE_KEYS: readonly string[] = ['type', 'value', 'autoAddedType'];

function hasReferenceRule(node: DocumentNode): boolean {
  if (node.kind !== 'list') return false;
  return node.items.some(
    (item) => item.kind === 'map' && item.entries.some(({ key }) => OWN_RULE_KEYS.includes(key)),
  );
}

/** Whether a document is of this shape: no `version`, and a key that only this shape has. */
export function isReferenceShape(root: DocumentNode): boolean {
  if (root.kind !== 'map' || root.entries.some(({ key }) => key === 'version')) return false;
  return root.entries.some(
    ({ key, value }) =>
      (key === 'rules' && hasReferenceRule(value)) ||
      (!SHARED_KEYS.includes(key) && REFERENCE_FILE_KEYS.some((own) => own === key)),
  );
}

function readRule(reader: DocumentReader, node: DocumentNode): RuleDraft | undefined {
  const keys = reader.map(node, REFERENCE_RULE_KEYS, OTHER_RULE_KEYS);
  if (keys === undefined) return undefined;
  const action = reader.oneOf(keys.get('action'), ['allow', 'deny']) ?? 'allow';
  const type = reader.oneOf(keys.get('type'), ['hostname', 'cidr']);
  const portsEntry = keys.get('ports');
  const ports = readPorts(reader, portsEntry, {
    both: 'all',
    onEmpty: (at) => reader.warn(at.start, '[]', 'an empty list of ports is every port'),
  });
  const autoAdded = keys.get('autoAddedType');
  if (autoAdded !== undefined) {
    const message = 'autoAddedType is ignored: what is auto-allowed is decided at the start';
    reader.warn(autoAdded.keyStart, 'autoAddedType', message);
  }
  for (const key of ['type', 'value']) if (!keys.has(key)) reader.missing(node, keys, key);
  const value = keys.get('value')?.value;
  if (type === undefined || value === undefined) return undefined;
  const kind: EntryKind = {
    action,
    takes: type === 'hostname' ? 'hosts' : 'cidrs',
    allowBroad: false,
  };
  const scalar = reader.string(value, type === 'hostname' ? 'a host' : 'an address or a CIDR');
  const read = scalar && reader.text(scalar, (text) => parseBareTarget(text, kind));
  if (read === undefined) return undefined;
  warnPort53(reader, read.target, ports, portsEntry?.value ?? node);
  return draftOf({ target: read.target, ports }, kind, reader.place(value.start));
}

/** Reads a document of this shape; what is wrong is noted in the reader. */
export function parseReferenceFile(reader: DocumentReader, root: DocumentNode): PolicyFile {
  const keys = reader.map(root, REFERENCE_FILE_KEYS, OTHER_FILE_KEYS);
  const rules = keys?.get('rules');
  const nodes = (rules && reader.list(rules.value, 'rules')) ?? [];
  return {
    default: reader.oneOf(keys?.get('defaultAction'), ['deny', 'allow']) ?? 'deny',
    rules: nodes.flatMap((node) => readRule(reader, node) ?? []),
    searchDomains: readSearchDomains(reader, keys?.get('searchDomains')),
    expectedBlocks: [],
    lockdown: readLockdown(reader, keys?.get('sudoLockdown'), 'allowCommands'),
  };
}
