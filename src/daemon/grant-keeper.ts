// Grants on their way to the kernel. I2: what an answer opens is acknowledged before the answer
// leaves; an extension of what is open is not waited for.
import type { GrantChange, GrantRequest, Grants } from '../core/dns/grants.ts';
import type { MapWrite } from '../core/policy/map-write.ts';
import type { DnsClock, GrantSink } from './dns-ports.ts';

/** Writes in one batch: well below a frame's limit. */
const MAX_BATCH = 4096;

/** Keeps the kernel in step with the grants and counts what it refused. */
export class GrantKeeper {
  readonly #grants: Grants;
  readonly #sink: GrantSink;
  readonly #clock: DnsClock;
  #opening: Promise<void> = Promise.resolve();
  #openings = 0;
  #refused = 0;

  constructor(grants: Grants, sink: GrantSink, clock: DnsClock) {
    this.#grants = grants;
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Batches the kernel refused: their answers were SERVFAIL, or extensions were lost. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Resolves when the kernel admits all the request says, to whether it opened anything; throws when
   * the kernel refuses.
   */
  async open(request: GrantRequest): Promise<boolean> {
    const change = this.#grants.grant(request);
    if (change.opens) {
      await this.#openNow(change);
      return true;
    }
    if (change.writes.length > 0) this.#extend(change);
    // Somebody else's opening on its way may be what this answer stands on.
    if (this.#openings > 0) await this.#opening;
    return false;
  }

  async #openNow(change: GrantChange): Promise<void> {
    this.#openings++;
    const applied = this.#sink.apply(change.writes);
    const settled = Promise.all([this.#opening, applied]).then(() => undefined);
    settled.catch(() => undefined);
    this.#opening = settled;
    try {
      // Together with what was on its way before: part of this answer may stand on that.
      await settled;
    } catch (error) {
      this.#refused++;
      this.#applyQuietly(change.undo(this.#clock.nowMs()));
      throw error;
    } finally {
      this.#openings--;
      if (this.#openings === 0) this.#opening = Promise.resolve();
    }
  }

  #extend(change: GrantChange): void {
    this.#sink.apply(change.writes).catch(() => {
      this.#refused++;
      this.#applyQuietly(change.undo(this.#clock.nowMs()));
    });
  }

  #applyQuietly(writes: readonly MapWrite[]): void {
    for (let at = 0; at < writes.length; at += MAX_BATCH) {
      this.#sink.apply(writes.slice(at, at + MAX_BATCH)).catch(() => {
        this.#refused++;
      });
    }
  }

  /** Deletes what has expired; the kernel ignores it already, so nothing waits. */
  sweep(): void {
    this.#applyQuietly(this.#grants.sweep(this.#clock.nowMs()));
  }
}
