// Fresh rounds of forward look-ups (spec 7, Late allow): started by a blocked attempt, asking only
// names the policy and earlier answers hold. Nothing of the attempt is ever asked.
import type { DnsClock } from './dns-ports.ts';

const EVERY_MS = 30_000;
const MAX_NAMES = 200;
const NAMES_A_SECOND = 50;

/** What a round needs. */
export interface ForwardRoundsOptions {
  /** The names of a round, the first to be asked first. */
  readonly names: () => readonly string[];
  /** Asks for a name afresh; a failure is no error. */
  readonly look: (name: string) => Promise<void>;
  readonly clock: Pick<DnsClock, 'nowMs' | 'after'>;
}

/** The rounds of a session, at most one every 30 s. */
export class ForwardRounds {
  readonly #options: ForwardRoundsOptions;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #skipped = 0;

  constructor(options: ForwardRoundsOptions) {
    this.#options = options;
  }

  /** Names that no round had room for. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Starts a round unless one was started in the last 30 s; does not wait for it. */
  start(): void {
    const { clock, names } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#startedAtMs < EVERY_MS) return;
    this.#startedAtMs = nowMs;
    const all = [...new Set(names())];
    this.#skipped += Math.max(0, all.length - MAX_NAMES);
    void this.#run(all.slice(0, MAX_NAMES));
  }

  async #run(names: readonly string[]): Promise<void> {
    const { clock, look } = this.#options;
    for (let at = 0; at < names.length; at += NAMES_A_SECOND) {
      if (at > 0) await clock.after(1000);
      const some = names.slice(at, at + NAMES_A_SECOND);
      await Promise.allSettled(some.map((name) => look(name)));
    }
  }
}
