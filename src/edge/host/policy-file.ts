// A policy file: parsed as YAML or JSON, handed over with places. The only file that
// knows the YAML library.
import { createHash } from 'node:crypto';
import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
  type Scalar,
  visit,
} from 'yaml';
import type {
  DocumentNode,
  MapEntry,
  PolicyDocument,
  Position,
} from '../../core/policy/document.ts';
import { errorAt, type PolicyProblem } from '../../core/policy/problem.ts';
import { readPolicyBytes, readStreamBytes } from './policy-bytes.ts';

const MAX_DEPTH = 32;
const MAX_NODES = 100_000;
const TOO_DEEP = `a file of at most ${MAX_DEPTH} levels`;
const TOO_MANY = `a file of at most ${MAX_NODES} values, those behind an alias counted each time`;
/** The library's words for programmers, said for people. */
const EXPECTED: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: 'one document: what stands behind "---" is a second one',
};

/** Reads a policy file; throws when it can't be read, while wrong content becomes problems. */
export async function readPolicyFile(path: string): Promise<PolicyDocument> {
  return parsePolicyText(await readPolicyBytes(path), path);
}

/** Reads a policy from a stream, such as standard input; throws when it's too large. */
export async function readPolicyStream(
  stream: AsyncIterable<Uint8Array>,
  source: string,
): Promise<PolicyDocument> {
  return parsePolicyText(await readStreamBytes(stream, source), source);
}

/** Parses the content of a policy file; `source` is how problems name it. */
export function parsePolicyText(content: Uint8Array, source: string): PolicyDocument {
  const sha256 = createHash('sha256').update(content).digest('hex');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    const problems = [errorAt({ source, line: 1, column: 1 }, '', 'a file in UTF-8')];
    return { source, sha256, root: undefined, problems };
  }
  return new Converter(text, source).convert(sha256);
}

/** Just past the last content: the library counts line ends behind a block as part of it. */
function blockEnd(
  node: { flow?: boolean | undefined },
  last: DocumentNode | undefined,
  end: Position,
): Position {
  return node.flow === true || last === undefined ? end : last.end;
}

/** A scalar without its quotes, and how far that is behind its start. */
function written(node: Scalar, text: string): { readonly inner: string; readonly shift: number } {
  const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
  return isQuoted ? { inner: text.slice(1, -1), shift: 1 } : { inner: text, shift: 0 };
}

class Converter {
  readonly #text: string;
  readonly #source: string;
  #lines = new LineCounter();
  readonly #problems: PolicyProblem[] = [];
  #nodes = 0;
  /** Where the second unit of each character of two stands. */
  readonly #pairs: readonly number[];
  /** What each alias stands for. */
  readonly #targets = new Map<unknown, Node | undefined>();

  constructor(text: string, source: string) {
    this.#text = text;
    this.#pairs = [...text.matchAll(/[\ud800-\udbff][\udc00-\udfff]/g)].map(
      ({ index }) => index + 1,
    );
    this.#source = source;
  }

  convert(sha256: string): PolicyDocument {
    if (this.#isTooDeep()) {
      return { source: this.#source, sha256, root: undefined, problems: this.#problems };
    }
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // The library compares each key with each: #entries does it in one pass.
      uniqueKeys: false,
      version: '1.2',
      schema: 'core',
      stringKeys: false,
    });
    for (const error of [...document.errors, ...document.warnings]) {
      const [start] = error.pos;
      const known = EXPECTED[error.code];
      if (known === undefined) this.#fail(start, '', `valid YAML or JSON: ${error.message}`);
      else this.#fail(start, /^[^\s:]*/u.exec(this.#text.slice(start))?.[0] ?? '', known);
    }
    this.#noteAliases(document);
    const isWhole = this.#problems.length === 0 && document.contents !== null;
    const root = isWhole ? this.#node(document.contents, 0) : undefined;
    return { source: this.#source, sha256, root, problems: this.#problems };
  }

  /** In one pass: the library looks through the whole document for each alias. */
  #noteAliases(document: Document): void {
    const anchors = new Map<string, Node>();
    visit(document, {
      Alias: (_key, alias) => {
        this.#targets.set(alias, anchors.get(alias.source));
      },
      Value: (_key, node) => {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }

  /**
   * Whether the text is nested deeper than any policy; the library would go down until its stack
   * ends, and be slow on the way.
   */
  #isTooDeep(): boolean {
    const lines = new LineCounter();
    const parser = new Parser(lines.addNewLine);
    for (const lexeme of new Lexer().lex(this.#text)) {
      // What it yields are whole documents; only the way there is looked at.
      for (const _document of parser.next(lexeme));
      // A level is a collection and what stands in it.
      if (parser.stack.length <= 2 * MAX_DEPTH) continue;
      this.#lines = lines;
      this.#fail(parser.offset, '', TOO_DEEP);
      return true;
    }
    return false;
  }

  /** 1-based, in code points. */
  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    if (line < 1 || col < 1) return { line: 1, column: 1 };
    const pairs = this.#pairsBefore(offset) - this.#pairsBefore(offset - (col - 1));
    return { line, column: col - pairs };
  }

  /** Characters of two units that end before an offset. */
  #pairsBefore(offset: number): number {
    let low = 0;
    let high = this.#pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#pairs[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #fail(offset: number, found: string, expected: string): void {
    const place = { source: this.#source, ...this.#position(offset) };
    this.#problems.push(errorAt(place, found, expected));
  }

  #node(given: unknown, depth: number): DocumentNode | undefined {
    const node = this.#targets.get(given) ?? (given as Node);
    const [start = 0, end = start] = node?.range ?? [];
    this.#nodes += 1;
    if (depth > MAX_DEPTH || this.#nodes > MAX_NODES) {
      const expected = depth > MAX_DEPTH ? TOO_DEEP : TOO_MANY;
      if (this.#problems.length === 0) this.#fail(start, '', expected);
      return undefined;
    }
    const placed = { start: this.#position(start), end: this.#position(end) };
    if (isScalar(node)) return this.#scalar(node, placed, start, end);
    if (isMap(node)) {
      const seen = new Set<string>();
      const entries = node.items.flatMap((pair) => this.#entry(pair, depth, seen));
      return {
        kind: 'map',
        ...placed,
        end: blockEnd(node, entries.at(-1)?.value, placed.end),
        entries,
      };
    }
    if (isSeq(node)) {
      const items = node.items.flatMap((item) => this.#node(item, depth + 1) ?? []);
      return { kind: 'list', ...placed, end: blockEnd(node, items.at(-1), placed.end), items };
    }
    const expected = isAlias(given)
      ? 'quotes around a value that starts with "*": without them it is a YAML alias'
      : 'a map, a list or a scalar';
    this.#fail(start, this.#text.slice(start, end).trimEnd(), expected);
    return undefined;
  }

  #entry(
    pair: { key: unknown; value: unknown },
    depth: number,
    seen: Set<string>,
  ): readonly MapEntry[] {
    const key = pair.key as Node;
    const [start = 0, end = start] = key.range ?? [];
    if (!isScalar(key) || typeof key.value !== 'string') {
      this.#fail(start, '', 'a text as key');
      return [];
    }
    const { inner, shift } = written(key, this.#text.slice(start, end));
    const keyAt = start + (inner === key.value ? shift : 0);
    const keyStart = this.#position(keyAt);
    if (seen.has(key.value)) this.#fail(keyAt, key.value, 'each key of a map once');
    seen.add(key.value);
    const value = pair.value === null ? this.#absent(key) : this.#node(pair.value, depth + 1);
    return value === undefined ? [] : [{ key: key.value, keyStart, value }];
  }

  #absent(key: Node): DocumentNode {
    const at = this.#position(key.range?.[1] ?? 0);
    return {
      kind: 'scalar',
      start: at,
      end: at,
      textStart: at,
      value: null,
      text: '',
      isVerbatim: true,
    };
  }

  #scalar(
    node: Scalar,
    placed: { start: Position; end: Position },
    start: number,
    end: number,
  ): DocumentNode | undefined {
    const { value } = node;
    const isPlainValue = value === null || ['string', 'number', 'boolean'].includes(typeof value);
    if (!isPlainValue) {
      this.#fail(start, '', 'a text, a number, true, false or null');
      return undefined;
    }
    const { inner, shift } = written(node, this.#text.slice(start, end));
    const isVerbatim = typeof value === 'string' ? inner === value : shift === 0;
    const textStart = { ...placed.start, column: placed.start.column + shift };
    return {
      kind: 'scalar',
      ...placed,
      textStart,
      value: value as string | number | boolean | null,
      text: isVerbatim ? inner : String(value),
      isVerbatim,
    };
  }
}
