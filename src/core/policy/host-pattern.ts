// Names and patterns as targets: parsing of the host part and matching.

import { canonicalLabel, checkCount, checkWhole, type RawLabel, splitLabels } from './host-name.ts';
import type { Target } from './policy.ts';
import { Fault } from './problem.ts';

/** `*` stands for exactly one label, `**` for one or more. */
export function isWildcard(label: string): boolean {
  return label === '*' || label === '**';
}

function patternLabel(raw: RawLabel, before: RawLabel | undefined): string {
  if (!isWildcard(raw.text)) {
    if (raw.text.includes('*')) {
      throw new Fault(
        raw.at,
        raw.text,
        'a whole label, "*" or "**"; part of a label has no wildcard',
      );
    }
    return canonicalLabel(raw);
  }
  if (raw.text === '**' && before?.text === '**') {
    throw new Fault(raw.at, raw.text, 'one "**" only: it already stands for one or more labels');
  }
  return raw.text;
}

/** A name, `=name` or pattern from text without ports; throws Fault at the wrong part. */
export function parseHost(text: string): Target {
  const exact = text.startsWith('=');
  const host = exact ? text.slice(1) : text;
  if (exact && host.includes('*')) {
    throw new Fault(0, text, 'a name behind "=": a pattern is exact already');
  }
  if (host === '') throw new Fault(exact ? 1 : 0, '', 'a name');
  if (/^[.\u3002\uff0e\uff61]/u.test(host)) {
    const rest = host.slice(1);
    const hint = rest === '' ? 'a name' : `a name; for every name below it write "**.${rest}"`;
    throw new Fault(0, text, hint);
  }
  const shift = text.length - host.length;
  const raw = splitLabels(host).map((label) => ({ ...label, at: label.at + shift }));
  checkCount(raw, text);
  const labels = raw.map((label, index) => patternLabel(label, raw[index - 1]));
  checkWhole(labels, text);
  if (labels.some(isWildcard)) return { kind: 'pattern', labels };
  return { kind: 'name', name: labels.join('.'), exact };
}

/** Whether the pattern's labels match all of the name's labels. */
export function matchesPattern(pattern: readonly string[], name: readonly string[]): boolean {
  // reach[j]: the labels of the pattern so far match the first j labels of the name.
  let reach = Array.from({ length: name.length + 1 }, (_, index) => index === 0);
  for (const label of pattern) {
    const next = Array<boolean>(name.length + 1).fill(false);
    for (let j = 1; j <= name.length; j++) {
      const before = reach[j - 1] ?? false;
      if (label === '**') next[j] = before || (next[j - 1] ?? false);
      else next[j] = before && (label === '*' || label === name[j - 1]);
    }
    reach = next;
  }
  return reach[name.length] ?? false;
}

/** The target as the records and the report show it. */
export function printTarget(target: Target): string {
  if (target.kind === 'prefix') return target.text;
  if (target.kind === 'pattern') return target.labels.join('.');
  return target.exact ? `=${target.name}` : target.name;
}
