// Seals write a record, and one for each destination: whoever may ask for one may ask without end. A few are
// written at once, then one a second; those asked for meanwhile are one. None is answered before it is written.

/** Written without a pause, as long as none is asked for soon after another. */
const BURST = 8;
const PAUSE_MS = 1000;

/** What seals are made of; `write` does one. */
export interface SealsOptions<Sealed> {
  readonly write: () => Promise<Sealed>;
  readonly nowMs: () => number;
  readonly after: (ms: number) => Promise<void>;
}

/** The seals of a session. */
export class Seals<Sealed> {
  /** How often one was asked for. */
  asked = 0;
  readonly #options: SealsOptions<Sealed>;
  /** Until when the writes so far last, at one a pause. */
  #takenUntilMs = Number.NEGATIVE_INFINITY;
  #last: Promise<unknown> = Promise.resolve();
  /** The one that has not begun: it tells of everything until it does. */
  #next: Promise<Sealed> | undefined;

  constructor(options: SealsOptions<Sealed>) {
    this.#options = options;
  }

  /** What a seal answers that is written from now on. */
  seal(): Promise<Sealed> {
    this.asked++;
    this.#next ??= this.#write(this.#last);
    return this.#next;
  }

  async #write(before: Promise<unknown>): Promise<Sealed> {
    const { nowMs, after, write } = this.#options;
    const done = Promise.withResolvers<void>();
    this.#last = done.promise;
    try {
      await before;
      const dueMs = this.#takenUntilMs - (BURST - 1) * PAUSE_MS;
      if (dueMs > nowMs()) await after(dueMs - nowMs());
      this.#takenUntilMs = Math.max(this.#takenUntilMs, nowMs()) + PAUSE_MS;
      this.#next = undefined;
      return await write();
    } finally {
      done.resolve();
    }
  }
}
