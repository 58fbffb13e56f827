// A list of entries as an input holds it: lines or commas, comments, every error at its place.
import { printTarget } from './host-pattern.ts';
import { type Entry, type EntryKind, parseEntry } from './parse-entry.ts';
import type { Place, Rule } from './policy.ts';
import { codePoints, errorAt, Fault, type PolicyProblem, warningAt } from './problem.ts';

/** A rule that has no number yet. */
export type RuleDraft = Omit<Rule, 'id'>;

/** What a list came to: rules, and every problem in order. */
export interface ParsedList<T> {
  readonly items: readonly T[];
  readonly errors: readonly PolicyProblem[];
  readonly warnings: readonly PolicyProblem[];
}

/** A piece of a list and its place. */
export interface ListItem {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** The non-empty entries of a list; a BOM is ignored. */
export function splitList(text: string): readonly ListItem[] {
  const items: ListItem[] = [];
  const lines = text.replace(/^\ufeff/u, '').split(/\r\n|\n|\r/u);
  for (const [index, whole] of lines.entries()) {
    const hash = whole.indexOf('#');
    const line = hash < 0 ? whole : whole.slice(0, hash);
    let column = 1;
    for (const piece of line.split(',')) {
      const entry = piece.trim();
      const blanks = piece.length - piece.trimStart().length;
      // Blanks are of the basic plane: as many units as code points.
      if (entry !== '') items.push({ text: entry, line: index + 1, column: column + blanks });
      column += codePoints(piece) + 1;
    }
  }
  return items;
}

/** A parsed entry as a rule. */
export function draftOf(
  entry: Pick<Entry, 'target' | 'ports'>,
  kind: EntryKind,
  where: Place,
): RuleDraft {
  return {
    target: entry.target,
    ports: entry.ports,
    action: kind.action,
    private: false,
    text: printTarget(entry.target),
    where,
  };
}

/** Reads one text at a place; Faults and notes become problems there. */
export function readAt<
  T extends { readonly notes: readonly { at: number; found: string; message: string }[] },
>(
  text: string,
  placeOf: (offset: number) => Place,
  read: (text: string) => T,
): {
  readonly value: T | undefined;
  readonly errors: PolicyProblem[];
  readonly warnings: PolicyProblem[];
} {
  try {
    const value = read(text);
    const warnings = value.notes.map((note) =>
      warningAt(placeOf(note.at), note.found, note.message),
    );
    return { value, errors: [], warnings };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const problem = errorAt(placeOf(error.at), error.found, error.expected);
    return { value: undefined, errors: [problem], warnings: [] };
  }
}

/** Places inside an item, by offset in UTF-16 units. */
export function placesIn(source: string, item: ListItem): (offset: number) => Place {
  return (offset) => ({
    source,
    line: item.line,
    column: item.column + codePoints(item.text, offset),
  });
}

/** All entries of a list as rules; every error is reported, in order. */
export function parseList(text: string, source: string, kind: EntryKind): ParsedList<RuleDraft> {
  const items: RuleDraft[] = [];
  const errors: PolicyProblem[] = [];
  const warnings: PolicyProblem[] = [];
  for (const item of splitList(text)) {
    const placeOf = placesIn(source, item);
    const read = readAt(item.text, placeOf, (entry) => parseEntry(entry, kind));
    errors.push(...read.errors);
    warnings.push(...read.warnings);
    if (read.value !== undefined) items.push(draftOf(read.value, kind, placeOf(0)));
  }
  return { items, errors, warnings };
}
