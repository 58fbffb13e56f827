// A policy file as its reader hands it over: plain nodes with their places, no YAML left.
import type { Place } from './policy.ts';
import type { PolicyProblem } from './problem.ts';

/** A 1-based place in the file, counted in code points. */
export type Position = Pick<Place, 'line' | 'column'>;

interface Placed {
  readonly start: Position;
  /** Just past the end. */
  readonly end: Position;
}

/** One `key: value`. */
export interface MapEntry {
  readonly key: string;
  readonly keyStart: Position;
  readonly value: DocumentNode;
}

/** A scalar. */
export interface ScalarNode extends Placed {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, without quotes. */
  readonly text: string;
  /** Whether offsets into `text` are offsets into the file: plain, or quoted without escapes. */
  readonly isVerbatim: boolean;
  /** Where `text` starts when verbatim: behind an opening quote. */
  readonly textStart: Position;
}

/** Names the schema for editors; in a file of either shape, and ignored. */
export const SCHEMA_KEY = '$schema';

/** A node of the file. */
export type DocumentNode =
  | (Placed & { readonly kind: 'map'; readonly entries: readonly MapEntry[] })
  | (Placed & { readonly kind: 'list'; readonly items: readonly DocumentNode[] })
  | ScalarNode;

/** A policy file, read and parsed as YAML or JSON. */
export interface PolicyDocument {
  /** The path as the user gave it. */
  readonly source: string;
  /** Of the content, in hex. */
  readonly sha256: string;
  /** Undefined for an empty file or one with syntax errors. */
  readonly root: DocumentNode | undefined;
  /** Syntax errors, at the YAML library's places. */
  readonly problems: readonly PolicyProblem[];
}
