// Typed reading of a policy document; every mistake is noted at its place and reading goes on.
import type { DocumentNode, MapEntry, Position, ScalarNode } from './document.ts';
import { nearest } from './nearest.ts';
import type { Place } from './policy.ts';
import { codePoints, errorAt, Fault, type PolicyProblem, warningAt } from './problem.ts';

type Doubt = { readonly at: number; readonly found: string; readonly message: string };

/** How a node reads in an error. */
function found(node: DocumentNode): string {
  if (node.kind === 'scalar') return node.text === '' ? 'null' : node.text;
  if (node.kind === 'map') return node.entries.length === 0 ? '{}' : '{…}';
  return node.items.length === 0 ? '[]' : '[…]';
}

function keysExpected(
  key: string,
  known: readonly string[],
  others: Readonly<Record<string, string>>,
): string {
  const meant = Object.hasOwn(others, key) ? others[key] : nearest(key, known);
  const all = `one of the keys ${known.join(', ')}`;
  return meant === undefined ? all : `${all}. Did you mean "${meant}"?`;
}

/** Reads the nodes of one document and keeps what is wrong. */
export class DocumentReader {
  readonly errors: PolicyProblem[] = [];
  readonly warnings: PolicyProblem[] = [];
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  place(position: Position): Place {
    return { source: this.#source, line: position.line, column: position.column };
  }

  fail(position: Position, what: string, expected: string): void {
    this.errors.push(errorAt(this.place(position), what, expected));
  }

  warn(position: Position, what: string, message: string): void {
    this.warnings.push(warningAt(this.place(position), what, message));
  }

  wrong(node: DocumentNode, expected: string): undefined {
    this.fail(node.start, found(node), expected);
    return undefined;
  }

  /** The entries of a map by key; unknown keys are errors, `others` says what some of them mean. */
  map(
    node: DocumentNode,
    known: readonly string[],
    others: Readonly<Record<string, string>> = {},
  ): ReadonlyMap<string, MapEntry> | undefined {
    if (node.kind !== 'map') return this.wrong(node, `a map with ${known.join(', ')}`);
    const entries = new Map<string, MapEntry>();
    for (const entry of node.entries) {
      if (known.includes(entry.key)) entries.set(entry.key, entry);
      else this.fail(entry.keyStart, entry.key, keysExpected(entry.key, known, others));
    }
    return entries;
  }

  /** A key that must be there; what is wrong with a map's keys already is said by itself. */
  missing(node: DocumentNode, keys: ReadonlyMap<string, MapEntry>, expected: string): undefined {
    const isWhole = node.kind === 'map' && node.entries.length === keys.size;
    if (isWhole) this.fail(node.end, '', expected);
    return undefined;
  }

  list(node: DocumentNode, what: string): readonly DocumentNode[] | undefined {
    return node.kind === 'list' ? node.items : this.wrong(node, `a list of ${what}`);
  }

  boolean(entry: MapEntry | undefined): boolean | undefined {
    const node = entry?.value;
    if (node === undefined) return undefined;
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
    return this.wrong(node, 'true or false');
  }

  string(node: DocumentNode, what: string): ScalarNode | undefined {
    if (node.kind === 'scalar' && typeof node.value === 'string') return node;
    return this.wrong(node, what);
  }

  oneOf<Word extends string>(
    entry: MapEntry | undefined,
    words: readonly Word[],
  ): Word | undefined {
    const node = entry?.value;
    if (node === undefined) return undefined;
    const word = node.kind === 'scalar' ? words.find((one) => one === node.value) : undefined;
    return word ?? this.wrong(node, words.join(' or '));
  }

  /** Reads the text of a scalar; Faults and doubts are placed inside it where that can be told. */
  text<T extends { readonly notes: readonly Doubt[] }>(
    node: ScalarNode,
    read: (text: string) => T,
  ): T | undefined {
    const text = typeof node.value === 'string' ? node.value : node.text;
    const at = (offset: number): Position => {
      if (!node.isVerbatim) return node.start;
      const { line, column } = node.textStart;
      return { line, column: column + codePoints(text, offset) };
    };
    try {
      const value = read(text);
      for (const note of value.notes) this.warn(at(note.at), note.found, note.message);
      return value;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.fail(at(error.at), error.found, error.expected);
      return undefined;
    }
  }
}
