// Search domains: suffixes that are stripped before a name is judged.
import { canonicalName } from './host-name.ts';
import { type ParsedList, placesIn, readAt, splitList } from './parse-list.ts';
import { Fault, type PolicyProblem } from './problem.ts';
import { suffixSection } from './public-suffix.ts';

/** A suffix without its leading dot; throws Fault at the wrong part. */
export function parseSearchDomain(text: string): {
  readonly name: string;
  readonly notes: readonly [];
} {
  const dot = text.startsWith('.') ? 1 : 0;
  let name: string;
  try {
    name = canonicalName(text.slice(dot));
  } catch (error) {
    throw error instanceof Fault ? error.moved(dot) : error;
  }
  if (!name.includes('.')) throw new Fault(0, text, 'a suffix of at least two labels');
  if (suffixSection(name) !== undefined) {
    throw new Fault(0, text, 'a suffix of your own: this is a public suffix');
  }
  return { name, notes: [] };
}

/** All suffixes of a list, without leading dots. */
export function parseSearchDomains(text: string, source: string): ParsedList<string> {
  const items: string[] = [];
  const errors: PolicyProblem[] = [];
  for (const item of splitList(text)) {
    const read = readAt(item.text, placesIn(source, item), parseSearchDomain);
    errors.push(...read.errors);
    if (read.value !== undefined) items.push(read.value.name);
  }
  return { items, errors, warnings: [] };
}
