// What a suite says at its end: one line a case, whether it is closed, a documented limit, or not to
// be had on this kernel. scripts/tell-cases.ts makes one table of all suites' lines.
import { appendFileSync, readFileSync } from 'node:fs';

/** Says lines of the form `case NUMBER, WHAT: OUTCOME`, and keeps them where scripts/test asks for it. */
export function tell(lines: readonly string[]): void {
  const text = lines.map((line) => `${line}\n`).join('');
  process.stdout.write(text);
  const { CARGOWALL_CASES: kept } = process.env;
  if (kept !== undefined) appendFileSync(kept, text);
}

/** The lines of one suite. */
export class Told {
  readonly #lines: string[] = [];

  closed(number: number | string, what: string): void {
    this.#lines.push(`case ${number}, ${what}: closed`);
  }

  limit(number: number | string, what: string, id: string): void {
    this.#lines.push(`case ${number}, ${what}: documented limit ${id}`);
  }

  absent(number: number | string, what: string, reason: string): void {
    this.#lines.push(`case ${number}, ${what}: n/a on this kernel: ${reason}`);
  }

  print(): void {
    tell(this.#lines);
  }
}

/** Whether the threat model documents a limit by this id. */
export function isDocumented(id: string): boolean {
  return readFileSync('docs/threat-model.md', 'utf8').includes(`\n| ${id} | `);
}
