// Names learned from aliases (spec 7, Re-origination): a literal name with its origin's pairs for
// the chain's lifetime, per origin, extend-only. Bounded; the least recently taught goes.
import type { PairSet } from '../net/pair-set.ts';
import { RecentlyUsed, type Used } from '../recently-used.ts';
import { type Segment, withoutPairs } from './segment.ts';

const MAX_NAMES = 16_384;
const MAX_ORIGINS = 8;

interface Lesson extends Used {
  readonly segments: readonly Segment[];
  readonly expiresAtMs: number;
}

/** One thing learned from a chain. */
export interface LearnedName {
  readonly name: string;
  readonly origin: string;
  readonly segments: readonly Segment[];
  readonly expiresAtMs: number;
}

/** What was learned of one name, by the origin of the chain. */
class Lessons extends RecentlyUsed<string, Lesson> implements Used {
  used = 0;

  constructor() {
    super(MAX_ORIGINS);
  }
}

/** The learned names; times in milliseconds of the monotonic clock, passed in. */
export class LearnedNames {
  readonly #names: RecentlyUsed<string, Lessons>;
  #forgotten = 0;

  constructor(maxNames = MAX_NAMES) {
    this.#names = new RecentlyUsed(maxNames, () => {
      this.#forgotten++;
    });
  }

  /** Names dropped because there was no room; fails closed: they are judged on their own again. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get size(): number {
    return this.#names.size;
  }

  /** Learns a name; a lesson of the same origin is only ever extended. */
  learn(lesson: LearnedName): void {
    const known = this.#names.use(lesson.name);
    const lessons = known ?? new Lessons();
    const before = lessons.get(lesson.origin);
    lessons.set(lesson.origin, {
      segments: lesson.segments,
      expiresAtMs: Math.max(lesson.expiresAtMs, before?.expiresAtMs ?? 0),
      used: 0,
    });
    if (known === undefined) this.#names.set(lesson.name, lessons);
  }

  /** The live segments of a learned name, less the pairs its own rules deny. */
  segmentsOf(name: string, denied: PairSet, nowMs: number): readonly Segment[] {
    const lessons = this.#names.get(name);
    if (lessons === undefined) return [];
    const live = lessons.latestFirst().filter((lesson) => lesson.expiresAtMs > nowMs);
    return withoutPairs(
      live.flatMap((lesson) => lesson.segments),
      denied,
    );
  }

  /** Drops what has expired. */
  sweep(nowMs: number): void {
    for (const [name, lessons] of this.#names.entries()) {
      for (const [origin, lesson] of lessons.entries()) {
        if (lesson.expiresAtMs <= nowMs) lessons.delete(origin);
      }
      if (lessons.size === 0) this.#names.delete(name);
    }
  }
}
