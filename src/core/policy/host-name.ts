// Host names: UTS 46 non-transitional, STD3 but `_` allowed, lower-case A-labels.
import { toASCII, toUnicode } from 'tr46';
import { Fault } from './problem.ts';

// UTS 46 takes these three for dots before anything is mapped.
const DOTS = /[.\u3002\uff0e\uff61]/u;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/u;
// Valid under UTS 46 only without STD3: they decompose to `=`, `<`, `>` and a stroke.
const NOT_STD3 = /[\u2260\u226e\u226f]/u;
const NUMERIC = /^(?:\d+|0x[0-9a-f]*)$/u;
const UTS46 = { checkJoiners: true, transitionalProcessing: false } as const;
const MAX_LABEL = 63;
const MAX_NAME = 253;
const MAX_LABELS = 127;
const NAME_EXPECTED = `a name of at most ${MAX_NAME} characters`;
/** Characters that mapping drops may make a label longer than it counts; far longer ones are none. */
const MAX_WRITTEN = 1000;
const LABEL_EXPECTED =
  'a label of 1 to 63 letters, digits, "-" and "_" that neither starts nor ends with "-"';
/** What people write around or behind a host, and what to do about it. */
const HABITS: readonly (readonly [RegExp, string])[] = [
  [/^xn--/iu, '; what stands behind "xn--" is no valid name: write its own letters'],
  [/^["']|["']$/u, '; an entry has no quotes'],
  [/^-$/u, '; entries are lines, without "- "'],
  [/\//u, '; an entry has no path'],
  [/@/u, '; an entry has no user'],
  [/;/u, '; ";" separates ports, a comma or a new line separates entries'],
  [/^!/u, '; what is denied goes with the blocked'],
];

/** A label as written and where it starts, in UTF-16 units. */
export interface RawLabel {
  readonly text: string;
  readonly at: number;
}

/** The labels of `text` as written, one trailing dot tolerated. */
export function splitLabels(text: string): readonly RawLabel[] {
  let at = 0;
  const labels = text.split(DOTS).map((label) => {
    const raw = { text: label, at };
    at += label.length + 1;
    return raw;
  });
  return labels.length > 1 && labels.at(-1)?.text === '' ? labels.slice(0, -1) : labels;
}

/** What mapping changes nothing of but the case. */
function isPlain(text: string): boolean {
  const label = text.toLowerCase();
  return label.length <= MAX_LABEL && LABEL.test(label) && !label.startsWith('xn--');
}

function labelFault({ at, text }: RawLabel): Fault {
  const [, hint = ''] = HABITS.find(([habit]) => habit.test(text)) ?? [];
  return new Fault(at, text, LABEL_EXPECTED + hint);
}

/** The canonical A-label; throws Fault at the label. */
export function canonicalLabel(raw: RawLabel): string {
  if (raw.text === '') throw new Fault(raw.at, '', 'a label between the dots');
  if (raw.text.length > MAX_WRITTEN) throw labelFault(raw);
  if (isPlain(raw.text)) return raw.text.toLowerCase();
  const label = toASCII(raw.text, UTS46);
  if (label === null || !LABEL.test(label) || NOT_STD3.test(toUnicode(raw.text, UTS46).domain)) {
    throw labelFault(raw);
  }
  if (label.length > MAX_LABEL) throw labelFault(raw);
  return label;
}

/** Throws Fault at 0 when there are more labels than any name has. */
export function checkCount(labels: readonly unknown[], text: string): void {
  if (labels.length > MAX_LABELS) throw new Fault(0, text, NAME_EXPECTED);
}

/** Throws Fault at 0 when canonical labels don't make a name together; wildcards are left out. */
export function checkWhole(labels: readonly string[], text: string): void {
  const name = labels.join('.');
  if (name.length > MAX_NAME) {
    throw new Fault(0, text, NAME_EXPECTED);
  }
  const literal = labels.filter((label) => !label.startsWith('*')).join('.');
  if (literal !== '' && toASCII(literal, { ...UTS46, checkBidi: true }) === null) {
    throw new Fault(0, text, 'a name that keeps to one writing direction (RFC 5893)');
  }
  if (NUMERIC.test(labels.at(-1) ?? '')) {
    throw new Fault(
      0,
      text,
      'a plain dotted-decimal IPv4 address, or a name that ends in no number',
    );
  }
}

/** A canonical name from text; throws Fault at the wrong part. */
export function canonicalName(text: string): string {
  const raw = splitLabels(text);
  checkCount(raw, text);
  const labels = raw.map(canonicalLabel);
  checkWhole(labels, text);
  return labels.join('.');
}
