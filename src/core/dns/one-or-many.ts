// A keyed collection of mostly one value: an address has mostly one name, and there are tens of
// thousands of addresses, so that a Map for each would be most of the daemon's memory.

/** Several values; `latest` is the key of the one set last. */
class Several<T> {
  readonly byKey = new Map<string, T>();
  latest = '';
}

/** Values by key, the latest set last; a single one is held without a Map. */
export abstract class OneOrMany<T extends object> {
  #held: T | Several<T> | undefined = undefined;

  /** The key of a value; never changes. */
  protected abstract keyOf(value: T): string;

  get size(): number {
    if (this.#held === undefined) return 0;
    return this.#held instanceof Several ? this.#held.byKey.size : 1;
  }

  /** The value with the key of `like`. */
  get(like: T): T | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const key = this.keyOf(like);
    if (held instanceof Several) return held.byKey.get(key);
    return this.keyOf(held) === key ? held : undefined;
  }

  /** Sets a value as the latest; returns the one it replaces. */
  set(value: T): T | undefined {
    const before = this.get(value);
    const held = this.#held;
    if (held === undefined || held === before) this.#held = value;
    else add(this.#several(held), this.keyOf(value), value);
    return before;
  }

  #several(held: T | Several<T>): Several<T> {
    if (held instanceof Several) return held;
    const several = new Several<T>();
    add(several, this.keyOf(held), held);
    this.#held = several;
    return several;
  }

  /** Removes the value with the key of `like`. */
  delete(like: T): void {
    if (this.#held instanceof Several) this.#held.byKey.delete(this.keyOf(like));
    else if (this.get(like) !== undefined) this.#held = undefined;
  }

  /** The values, the latest set last. */
  values(): readonly T[] {
    if (this.#held === undefined) return [];
    return this.#held instanceof Several ? [...this.#held.byKey.values()] : [this.#held];
  }

  /** The value set last, unless it was removed. */
  latest(): T | undefined {
    const held = this.#held;
    return held instanceof Several ? held.byKey.get(held.latest) : held;
  }

  /** The value set longest ago. */
  oldest(): T | undefined {
    return this.#held instanceof Several ? this.#held.byKey.values().next().value : this.#held;
  }
}

/** Adds a value as the latest. Moving a key to the end leaves a hole: not for one that is there. */
function add<T>(several: Several<T>, key: string, value: T): void {
  if (key !== several.latest) several.byKey.delete(key);
  several.byKey.set(key, value);
  several.latest = key;
}
