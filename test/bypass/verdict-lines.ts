// What a suite says of its cases at its end, a line each.

/** Cases of a suite and what became of them, in order. */
export class VerdictLines {
  readonly #lines: string[] = [];

  /** What was tried got nowhere. */
  closed(number: number | string, what: string): void {
    this.#lines.push(`case ${number}, ${what}: closed`);
  }

  /** What can't be closed is written down in docs/threat-model.md. */
  limited(number: number | string, what: string, id: string): void {
    this.#lines.push(`case ${number}, ${what}: documented limit ${id}`);
  }

  print(): void {
    process.stdout.write(this.#lines.map((one) => `${one}\n`).join(''));
  }
}
