// Waiting for a word, but not for ever. What is said in time leaves nothing behind: a flood of short waits costs
// neither a timer each nor memory.
import type { DnsClock } from './dns-ports.ts';

/** How often is looked within the limit whose time is over. */
const LOOKS = 4;

/** Waits that have a limit in common. */
export class Patience {
  readonly #clock: DnsClock;
  readonly #limitMs: number;
  /** What ends a wait, and when; the oldest first. */
  readonly #waiting = new Map<() => void, number>();
  #isLooking = false;

  constructor(clock: DnsClock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** Resolves when `word` does, or within a quarter of the limit behind it; rejects as `word` does. */
  wait(word: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(resolve, this.#clock.nowMs() + this.#limitMs);
      const isHeard = () => this.#waiting.delete(resolve);
      word.then(isHeard, isHeard);
      word.then(() => resolve(), reject);
      if (!this.#isLooking) void this.#look();
    });
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#waiting.size > 0) {
      await this.#clock.after(this.#limitMs / LOOKS);
      const nowMs = this.#clock.nowMs();
      for (const [end, dueMs] of this.#waiting) {
        if (dueMs > nowMs) break;
        this.#waiting.delete(end);
        end();
      }
    }
    this.#isLooking = false;
  }
}
