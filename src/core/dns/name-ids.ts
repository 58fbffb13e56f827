// The numbers that stand for granted names in kernel entries and events. Never used twice.

const MAX_NAMES = 65_536;

/** Names by number; bounded, the least recently granted is forgotten (its events stay nameless). */
export class NameIds {
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #maxNames: number;
  #last: number;

  /** `last`: numbers up to here were given out before, by a daemon that is gone. */
  constructor(last = 0, maxNames = MAX_NAMES) {
    this.#last = last;
    this.#maxNames = maxNames;
  }

  /** The number of a name, a new one when it has none. */
  idOf(name: string): number {
    const id = this.#ids.get(name) ?? ++this.#last;
    this.#ids.delete(name);
    this.#ids.set(name, id);
    this.#names.set(id, name);
    for (const [oldest, oldId] of this.#ids) {
      if (this.#ids.size <= this.#maxNames) break;
      this.#ids.delete(oldest);
      this.#names.delete(oldId);
    }
    return id;
  }

  nameOf(id: number): string | undefined {
    return this.#names.get(id);
  }
}
