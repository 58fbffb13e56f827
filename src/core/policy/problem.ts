// What is wrong with a policy, and where. All problems of a policy are reported together.
import type { Place } from './policy.ts';

/** One error or warning of a policy. */
export interface PolicyProblem extends Place {
  /** The wrong part as written; empty when something is missing. */
  readonly found: string;
  /** What would be right; empty for a warning. */
  readonly expected: string;
  /** The whole sentence, without the place. */
  readonly message: string;
}

/** A wrong part of a text, at an offset in UTF-16 units; thrown and caught inside the parsers. */
export class Fault extends Error {
  readonly at: number;
  readonly found: string;
  readonly expected: string;

  constructor(at: number, found: string, expected: string) {
    super(expected);
    this.at = at;
    this.found = found;
    this.expected = expected;
  }

  /** The same fault of a text that starts `offset` units further to the left. */
  moved(offset: number): Fault {
    return new Fault(this.at + offset, this.found, this.expected);
  }
}

/** An error: what was found and what was expected. */
export function errorAt(place: Place, found: string, expected: string): PolicyProblem {
  const what = found === '' ? 'found nothing' : `found ${JSON.stringify(found)}`;
  const { source, line, column } = place;
  return { source, line, column, found, expected, message: `${what}, expected ${expected}` };
}

/** A warning: `message` says what is doubtful and what to do. */
export function warningAt(place: Place, found: string, message: string): PolicyProblem {
  const { source, line, column } = place;
  return { source, line, column, found, expected: '', message };
}

/** `input allowed-hosts line 1 column 3: found …, expected …`. */
export function renderProblem(problem: PolicyProblem): string {
  const { source, line, column, message } = problem;
  return `${source} line ${line} column ${column}: ${message}`;
}

/** Lines that are shown of many; whoever mends these sees the next. */
const MAX_LINES = 50;

/** The first lines, and how many more of `what` there are. */
export function firstLines(lines: readonly string[], what: string): readonly string[] {
  const rest = lines.length - MAX_LINES;
  return rest <= 0 ? lines : [...lines.slice(0, MAX_LINES), `${rest} more ${what} are not shown`];
}

/** Code points in the first `units` UTF-16 units of `text`. */
export function codePoints(text: string, units = text.length): number {
  return [...text.slice(0, units)].length;
}
