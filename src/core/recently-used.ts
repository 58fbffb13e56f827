// A bounded Map that forgets what was used longest ago. A use is a stamp on the value: V8's Map keeps
// the place of a deleted key until it grows, so moving one key to the end again and again makes every
// later look at that key slower, by thousands of places in a large Map.

/** A value that can carry when it was last used; the Map it is in writes it. */
export interface Used {
  used: number;
}

/** The part of a full Map that goes at once, so that looking for the oldest costs little a value. */
const SHARE = 16;

/** Values by key; past `limit` values a sixteenth goes, those used longest ago. */
export class RecentlyUsed<K, V extends Used> {
  readonly #values = new Map<K, V>();
  readonly #limit: number;
  readonly #onForgotten: (value: V) => void;
  #uses = 0;

  /** `onForgotten` is told of each value that had to make room. */
  constructor(limit: number, onForgotten: (value: V) => void = () => undefined) {
    this.#limit = limit;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#values.size;
  }

  /** The value of a key; this is no use of it. */
  get(key: K): V | undefined {
    return this.#values.get(key);
  }

  /** The value of a key, which counts as used now. */
  use(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) value.used = ++this.#uses;
    return value;
  }

  /** Sets the value of a key, which counts as used now. */
  set(key: K, value: V): void {
    value.used = ++this.#uses;
    this.#values.set(key, value);
    if (this.#values.size > this.#limit) this.#makeRoom();
  }

  delete(key: K): void {
    this.#values.delete(key);
  }

  /** Keys and values, in no order; what is met may be deleted. */
  entries(): IterableIterator<[K, V]> {
    return this.#values.entries();
  }

  /** The values, the latest used first. */
  latestFirst(): readonly V[] {
    return [...this.#values.values()].sort((one, other) => other.used - one.used);
  }

  #makeRoom(): void {
    const going = this.#values.size - (this.#limit - Math.floor(this.#limit / SHARE));
    const uses = Float64Array.from(this.#values.values(), ({ used }) => used).sort();
    const last = uses[going - 1] ?? 0;
    for (const [key, value] of this.#values) {
      if (value.used > last) continue;
      this.#values.delete(key);
      this.#onForgotten(value);
    }
  }
}
