// A policy file of `version: 1` -> its parts, with every error.
import type { DocumentNode, MapEntry, PolicyDocument } from './document.ts';
import { DocumentReader } from './document-reader.ts';
import { type EntryKind, parseEntry } from './parse-entry.ts';
import { draftOf, type RuleDraft } from './parse-list.ts';
import { parseRuleNode } from './parse-rule-node.ts';
import type { Action } from './policy.ts';
import type { PolicyProblem } from './problem.ts';
import { parseSearchDomain } from './search-domain.ts';

/** What a policy file says. */
export interface PolicyFile {
  readonly default: Action;
  readonly rules: readonly RuleDraft[];
  readonly searchDomains: readonly string[];
  readonly expectedBlocks: readonly RuleDraft[];
}

/** The file's parts as far as they could be read, and every problem in the file's order. */
export interface ParsedPolicyFile {
  readonly file: PolicyFile;
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

const KEYS = [
  'version',
  'default',
  'allow-broad',
  'rules',
  'search-domains',
  'expected-blocks',
  'sudo-lockdown',
] as const;
const REFERENCE_KEYS = ['defaultAction', 'searchDomains', 'sudoLockdown'];
/** Entries of `expected-blocks`, in the file and in the input. */
export const EXPECTED_BLOCKS: EntryKind = { action: 'deny', takes: 'any', allowBroad: true };
const EMPTY: PolicyFile = { default: 'deny', rules: [], searchDomains: [], expectedBlocks: [] };
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
  if (node.kind !== 'scalar' || node.value !== 1) reader.wrong(node, '1');
}

function readRules(reader: DocumentReader, entry: MapEntry | undefined, allowBroad: boolean) {
  const nodes = (entry && reader.list(entry.value, 'rules')) ?? [];
  return nodes.flatMap((node) => parseRuleNode(reader, node, allowBroad) ?? []);
}

function readSearchDomains(reader: DocumentReader, entry: MapEntry | undefined): readonly string[] {
  const nodes = (entry && reader.list(entry.value, 'suffixes')) ?? [];
  return nodes.flatMap((node) => {
    const scalar = reader.string(node, 'a suffix');
    const read = scalar && reader.text(scalar, parseSearchDomain);
    return read === undefined ? [] : [read.name];
  });
}

function readExpected(reader: DocumentReader, entry: MapEntry | undefined): readonly RuleDraft[] {
  const nodes = (entry && reader.list(entry.value, 'targets')) ?? [];
  return nodes.flatMap((node) => {
    const scalar = reader.string(node, 'a host, an address or a CIDR');
    const read = scalar && reader.text(scalar, (text) => parseEntry(text, EXPECTED_BLOCKS));
    return read === undefined ? [] : [draftOf(read, EXPECTED_BLOCKS, reader.place(node.start))];
  });
}

function checkLockdown(reader: DocumentReader, entry: MapEntry | undefined): void {
  const keys = entry && reader.map(entry.value, ['enabled', 'allow-commands']);
  const enabled = keys?.get('enabled');
  if (enabled !== undefined && reader.boolean(enabled) === true) {
    reader.fail(enabled.value.start, 'true', 'false: sudo-lockdown is not supported yet');
  }
  const commands = keys?.get('allow-commands');
  for (const node of (commands && reader.list(commands.value, 'absolute paths')) ?? []) {
    const path = reader.string(node, 'an absolute path');
    if (path !== undefined && !path.text.startsWith('/')) reader.wrong(node, 'an absolute path');
  }
}

function inOrder(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function isReferenceShape(root: DocumentNode): boolean {
  if (root.kind !== 'map' || root.entries.some((entry) => entry.key === 'version')) return false;
  return root.entries.some((entry) => REFERENCE_KEYS.includes(entry.key));
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
    reader.wrong(
      root,
      `${VERSION_EXPECTED}, in the shape of docs/policy.md; others are not supported yet`,
    );
    return refused(reader);
  }
  const keys = reader.map(root, KEYS);
  if (keys === undefined) return refused(reader);
  readVersion(reader, root, keys.get('version'));
  const allowBroad = reader.boolean(keys.get('allow-broad')) ?? false;
  const file: PolicyFile = {
    default: reader.oneOf(keys.get('default'), ['deny', 'allow']) ?? 'deny',
    rules: readRules(reader, keys.get('rules'), allowBroad),
    searchDomains: readSearchDomains(reader, keys.get('search-domains')),
    expectedBlocks: readExpected(reader, keys.get('expected-blocks')),
  };
  checkLockdown(reader, keys.get('sudo-lockdown'));
  return { file, errors: inOrder(reader.errors), warnings: inOrder(reader.warnings) };
}
