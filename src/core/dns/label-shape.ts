// What of a name looks like data instead of words. No dictionary: how often letters and digits
// alternate, and how few letters are vowels. docs/dns.md has the numbers and why.

/** Shorter texts say too little. */
const MIN_LENGTH = 10;
/** Text of base 16 to 36 alternates between letters and digits at every third character, names at fewer. */
const ALTERNATING = 0.25;
/** Every fourth letter of random text at most is a vowel, more of any language's words. */
const VOWELS = 0.25;
/** A decimal number this long is no counter and no date. */
const LONG_NUMBER = 16;
const BITS_OF_DIGIT = Math.log2(10);
const BITS_OF_HEX = 4;
const BITS_OF_ALL = Math.log2(36);

const NONE = 0;
const DIGIT = 1;
const HEX = 2;
const VOWEL_HEX = 3;
const VOWEL = 4;
const OTHER = 5;

/** What each ASCII character is; all else, hyphens, dots and underscores among it, is none of these. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/\d/u.test(character)) return DIGIT;
  if (/[bcdf]/u.test(character)) return HEX;
  if (/[ae]/u.test(character)) return VOWEL_HEX;
  if (/[iouy]/u.test(character)) return VOWEL;
  return /[a-z]/u.test(character) ? OTHER : NONE;
});

/** Characters by kind, and how often a letter is next to a digit. */
interface Counts {
  readonly kinds: Uint32Array;
  readonly changes: number;
}

// One for all texts: questions come by the thousand in a second. Changes no answer.
const kinds = new Uint32Array(OTHER + 1);

function countsOf(text: string): Counts {
  kinds.fill(0);
  let changes = 0;
  let before = NONE;
  for (let at = 0; at < text.length; at++) {
    const kind = KINDS[text.charCodeAt(at)] ?? NONE;
    kinds[kind] = (kinds[kind] ?? 0) + 1;
    // one of the two is a digit and the other a letter
    if (before !== kind && before * kind !== 0 && (before === DIGIT || kind === DIGIT)) changes++;
    before = kind;
  }
  return { kinds, changes };
}

function bitsOf({ kinds: ofKind, changes }: Counts): number {
  const of = (kind: number) => ofKind[kind] ?? 0;
  const digits = of(DIGIT);
  const vowels = of(VOWEL_HEX) + of(VOWEL);
  const beyondHex = of(VOWEL) + of(OTHER);
  const letters = of(HEX) + of(VOWEL_HEX) + beyondHex;
  const length = digits + letters;
  const isData =
    changes >= length * ALTERNATING ||
    (letters >= MIN_LENGTH && vowels <= letters * VOWELS) ||
    (digits >= LONG_NUMBER && letters < digits);
  if (length < MIN_LENGTH || !isData) return 0;
  if (letters === 0) return length * BITS_OF_DIGIT;
  return length * (beyondHex === 0 ? BITS_OF_HEX : BITS_OF_ALL);
}

function longestLabel(text: string): number {
  let longest = 0;
  let start = 0;
  for (let end = text.indexOf('.'); end >= 0; end = text.indexOf('.', start)) {
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return Math.max(longest, text.length - start);
}

/** Lower-case text of one or more labels. */
export interface LabelShape {
  /** Characters of the longest label. */
  readonly longest: number;
  /** Bits the text may carry when it looks like data; 0 when it looks like words. */
  readonly bits: number;
}

/** The shape of the labels in `text`. */
export function shapeOf(text: string): LabelShape {
  return { longest: longestLabel(text), bits: bitsOf(countsOf(text)) };
}
