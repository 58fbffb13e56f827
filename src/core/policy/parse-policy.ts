// A policy file -> its parts, with every error. `version: 1` is ours; the reference implementation's
// shape is read by parse-reference.ts. The two never mix.
import { type DocumentNode, type MapEntry, type PolicyDocument, SCHEMA_KEY } from './document.ts';
import { DocumentReader } from './document-reader.ts';
import { type EntryKind, parseEntry } from './parse-entry.ts';
import { draftOf, type RuleDraft } from './parse-list.ts';
import { isReferenceShape, parseReferenceFile } from './parse-reference.ts';
import { parseRuleNode } from './parse-rule-node.ts';
import type { PolicyProblem } from './problem.ts';
import { type PolicyFile, readLockdown, readSearchDomains } from './read-parts.ts';

/** The file's parts as far as they could be read, and every problem in the file's order. */
export interface ParsedPolicyFile {
  readonly file: PolicyFile;
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

/** The keys of a file. */
export const FILE_KEYS = [
  'version',
  'default',
  'allow-broad',
  'rules',
  'search-domains',
  'expected-blocks',
  'sudo-lockdown',
  SCHEMA_KEY,
] as const;
/** The other shape's keys. */
const OTHER_KEYS = {
  defaultAction: 'default',
  searchDomains: 'search-domains',
  sudoLockdown: 'sudo-lockdown',
  allow: 'rules',
  deny: 'rules',
  'allowed-hosts': 'rules',
  'blocked-hosts': 'rules',
  'allowed-cidrs': 'rules',
  'blocked-cidrs': 'rules',
  'default-action': 'default',
  mode: 'the input mode',
};
/** Entries of `expected-blocks`, in the file and in the input. */
export const EXPECTED_BLOCKS: EntryKind = { action: 'deny', takes: 'any', allowBroad: true };
const EMPTY: PolicyFile = {
  default: 'deny',
  rules: [],
  searchDomains: [],
  expectedBlocks: [],
  lockdown: { enabled: false, commands: [] },
};
const VERSION_EXPECTED = '"version: 1" at the top of the policy file';

function readVersion(
  reader: DocumentReader,
  root: DocumentNode,
  entry: MapEntry | undefined,
): void {
  if (entry === undefined) {
    reader.fail(root.end, '', VERSION_EXPECTED);
    return;
  }
  const node = entry.value;
  if (node.kind !== 'scalar' || node.value !== 1) reader.wrong(node, 'the number 1');
}

function readRules(reader: DocumentReader, entry: MapEntry | undefined, allowBroad: boolean) {
  const nodes = (entry && reader.list(entry.value, 'rules')) ?? [];
  return nodes.flatMap((node) => parseRuleNode(reader, node, allowBroad) ?? []);
}

function readExpected(reader: DocumentReader, entry: MapEntry | undefined): readonly RuleDraft[] {
  const nodes = (entry && reader.list(entry.value, 'targets')) ?? [];
  return nodes.flatMap((node) => {
    const scalar = reader.string(node, 'a host, an address or a CIDR');
    const read = scalar && reader.text(scalar, (text) => parseEntry(text, EXPECTED_BLOCKS));
    return read === undefined ? [] : [draftOf(read, EXPECTED_BLOCKS, reader.place(node.start))];
  });
}

function inOrder(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function refused(reader: DocumentReader): ParsedPolicyFile {
  return { file: EMPTY, errors: reader.errors, warnings: reader.warnings };
}

/** Reads a document; a file that isn't `version: 1` is one error that asks for it. */
export function parsePolicyFile(document: PolicyDocument): ParsedPolicyFile {
  const reader = new DocumentReader(document.source);
  reader.errors.push(...document.problems);
  const { root } = document;
  if (document.problems.length > 0) return refused(reader);
  if (root === undefined || (root.kind === 'scalar' && root.value === null)) {
    reader.fail({ line: 1, column: 1 }, '', VERSION_EXPECTED);
    return refused(reader);
  }
  if (isReferenceShape(root)) {
    const file = parseReferenceFile(reader, root);
    return { file, errors: inOrder(reader.errors), warnings: inOrder(reader.warnings) };
  }
  const keys = reader.map(root, FILE_KEYS, OTHER_KEYS);
  if (keys === undefined) return refused(reader);
  readVersion(reader, root, keys.get('version'));
  const allowBroad = reader.boolean(keys.get('allow-broad')) ?? false;
  const file: PolicyFile = {
    default: reader.oneOf(keys.get('default'), ['deny', 'allow']) ?? 'deny',
    rules: readRules(reader, keys.get('rules'), allowBroad),
    searchDomains: readSearchDomains(reader, keys.get('search-domains')),
    expectedBlocks: readExpected(reader, keys.get('expected-blocks')),
    lockdown: readLockdown(reader, keys.get('sudo-lockdown'), 'allow-commands'),
  };
  return { file, errors: inOrder(reader.errors), warnings: inOrder(reader.warnings) };
}
