// Names below an allowed name that look like a tunnel: very many of them, or labels that carry data
// (docs/threat-model.md, L3). Tells and changes nothing. Bounded: a few kilobytes for each rule that
// names below it were asked for, for a bounded number of rules; one pass over the name.
import type { Policy, Rule } from '../policy/policy.ts';
import { shapeOf } from './label-shape.ts';

/** Distinct names below one rule's name. */
export const MANY_NAMES = 400;
/** Bits that names which look like data may have carried: a kilobyte. */
export const MUCH_DATA = 8192;
/** A rule is told of twice: then, and when a hundred times as much has come. */
const MAX_FINDINGS = 2;
const NEXT_FINDING = 100;
const MAX_PARENTS = 256;
/** Bits of a parent's filter; distinct names are estimated by how many of them are set. */
const FILTER = 1 << 14;

/** What was noticed below one rule's name. */
export interface UnusualNames {
  readonly rule: Rule;
  /** Distinct names, by estimate. */
  readonly names: number;
  /** What those that look like data may have carried. */
  readonly bytes: number;
  readonly longestLabel: number;
  /** The latest of them. */
  readonly example: string;
}

interface Parent {
  readonly rule: Rule;
  readonly seen: Uint8Array;
  set: number;
  bits: number;
  longest: number;
  findings: number;
}

/** The fixed end of what a rule's name or pattern matches; undefined where nothing below it does. */
function fixedEnd({ target }: Rule): string | undefined {
  if (target.kind === 'prefix') return undefined;
  if (target.kind === 'name') return target.exact ? undefined : target.name;
  return target.labels
    .slice(target.labels.findLastIndex((label) => label.startsWith('*')) + 1)
    .join('.');
}

/** How many distinct names set so many of the filter's bits. */
function distinct(set: number): number {
  return Math.round(-FILTER * Math.log(1 - Math.min(set, FILTER - 1) / FILTER));
}

/** The opposite. */
function bitsSetBy(names: number): number {
  return FILTER * (1 - Math.exp(-names / FILTER));
}

/** The names of a session, by the rule that allows them. */
export class NamesBelow {
  readonly #rules: readonly Rule[];
  readonly #seed: number;
  /** Fixed ends by rule id. */
  readonly #ends = new Map<number, string | undefined>();
  readonly #parents = new Map<number, Parent>();

  /** `seed`: 32 bits nobody outside knows, or names could be chosen to look like those seen. */
  constructor(policy: Pick<Policy, 'rules'>, seed: number) {
    this.#rules = policy.rules;
    this.#seed = seed;
  }

  /** Distinct names below the rules that were told of. */
  get told(): number {
    return [...this.#parents.values()]
      .filter(({ findings }) => findings > 0)
      .reduce((sum, { set }) => sum + distinct(set), 0);
  }

  /** Notes that `name`, lower-case, was asked for and rule `id` allows it; what is to be told. */
  note(name: string, id: number): UnusualNames | undefined {
    const end = this.#endOf(id);
    if (end === undefined || name === end) return undefined;
    const parent = this.#parentOf(id);
    if (parent === undefined || !this.#isNew(parent, name)) return undefined;
    if (parent.findings >= MAX_FINDINGS) return undefined;
    const isBelow = end !== '' && name.endsWith(end);
    const { longest, bits } = shapeOf(isBelow ? name.slice(0, -end.length - 1) : name);
    parent.bits += bits;
    parent.longest = Math.max(parent.longest, longest);
    return this.#findingOf(parent, name);
  }

  #endOf(id: number): string | undefined {
    if (this.#ends.has(id)) return this.#ends.get(id);
    const rule = this.#rules[id - 1];
    const end = rule === undefined ? undefined : fixedEnd(rule);
    this.#ends.set(id, end);
    return end;
  }

  /** The first parents are kept: what a job asks for later can't push one out. */
  #parentOf(id: number): Parent | undefined {
    const known = this.#parents.get(id);
    const rule = this.#rules[id - 1];
    if (known !== undefined || rule === undefined) return known;
    if (this.#parents.size >= MAX_PARENTS) return undefined;
    const seen = new Uint8Array(FILTER / 8);
    const parent = { rule, seen, set: 0, bits: 0, longest: 0, findings: 0 };
    this.#parents.set(id, parent);
    return parent;
  }

  /** Sets the name's bit; false when it was set. */
  #isNew(parent: Parent, name: string): boolean {
    let hash = this.#seed;
    for (let at = 0; at < name.length; at++) {
      hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    const bit = (hash ^ (hash >>> 13)) & (FILTER - 1);
    const byte = parent.seen[bit >> 3] ?? 0;
    const mask = 1 << (bit & 7);
    if ((byte & mask) !== 0) return false;
    parent.seen[bit >> 3] = byte | mask;
    parent.set++;
    return true;
  }

  #findingOf(parent: Parent, example: string): UnusualNames | undefined {
    const { rule, set, bits, longest, findings } = parent;
    const times = NEXT_FINDING ** findings;
    if (set < bitsSetBy(MANY_NAMES * times) && bits < MUCH_DATA * times) return undefined;
    parent.findings++;
    return {
      rule,
      names: distinct(set),
      bytes: Math.round(bits / 8),
      longestLabel: longest,
      example,
    };
  }
}
