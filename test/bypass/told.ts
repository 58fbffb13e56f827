// What a suite says at its end: one line a case, whether it is closed, a documented limit, or not to
// be had on this kernel.
import { readFileSync } from 'node:fs';

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
    process.stdout.write(`${this.#lines.join('\n')}\n`);
  }
}

/** Whether the threat model documents a limit by this id. */
export function isDocumented(id: string): boolean {
  return readFileSync('docs/threat-model.md', 'utf8').includes(`\n| ${id} | `);
}
