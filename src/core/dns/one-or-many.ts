// A keyed collection of mostly one value: an address has mostly one name, and there are tens of
// thousands of addresses, so that a Map for each would be most of the daemon's memory.

/** Values by key, the latest set last; a single one is held without a Map. */
export abstract class OneOrMany<T extends object> {
  #one: T | undefined = undefined;
  #many: Map<string, T> | undefined = undefined;
  #latest: string | undefined = undefined;

  /** The key of a value; never changes. */
  protected abstract keyOf(value: T): string;

  get size(): number {
    return this.#many?.size ?? (this.#one === undefined ? 0 : 1);
  }

  /** The value with the key of `like`. */
  get(like: T): T | undefined {
    if (this.#many !== undefined) return this.#many.get(this.keyOf(like));
    const one = this.#one;
    return one !== undefined && this.keyOf(one) === this.keyOf(like) ? one : undefined;
  }

  /** Sets a value as the latest; returns the one it replaces. */
  set(value: T): T | undefined {
    const before = this.get(value);
    if (this.#many === undefined && (this.#one === undefined || before !== undefined)) {
      this.#one = value;
      return before;
    }
    this.#many ??= new Map(this.#one && [[this.keyOf(this.#one), this.#one]]);
    this.#one = undefined;
    const key = this.keyOf(value);
    // Moving a key to the end leaves a hole: not for one that is there.
    if (key !== this.#latest) this.#many.delete(key);
    this.#many.set(key, value);
    this.#latest = key;
    return before;
  }

  /** Removes the value with the key of `like`. */
  delete(like: T): void {
    if (this.#many !== undefined) this.#many.delete(this.keyOf(like));
    else if (this.get(like) !== undefined) this.#one = undefined;
  }

  /** The values, the latest set last. */
  values(): readonly T[] {
    if (this.#many !== undefined) return [...this.#many.values()];
    return this.#one === undefined ? [] : [this.#one];
  }

  /** The value set last, unless it was removed. */
  latest(): T | undefined {
    if (this.#many === undefined) return this.#one;
    return this.#latest === undefined ? undefined : this.#many.get(this.#latest);
  }

  /** The value set longest ago. */
  oldest(): T | undefined {
    return this.#many === undefined ? this.#one : this.#many.values().next().value;
  }
}
