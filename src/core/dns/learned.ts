// Names learned from aliases (spec 7, Re-origination): a literal name with its origin's pairs for
// the chain's lifetime, per origin, extend-only. Bounded; the least recently taught goes.
import type { PairSet } from '../net/pair-set.ts';
import { evictOldest } from './evict.ts';
import { type Segment, withoutPairs } from './segment.ts';

const MAX_NAMES = 16_384;
const MAX_ORIGINS = 8;

interface Lesson {
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

/** The learned names; times in milliseconds of the monotonic clock, passed in. */
export class LearnedNames {
  readonly #names = new Map<string, Map<string, Lesson>>();
  readonly #maxNames: number;
  #forgotten = 0;

  constructor(maxNames = MAX_NAMES) {
    this.#maxNames = maxNames;
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
    const lessons = this.#names.get(lesson.name) ?? new Map<string, Lesson>();
    const before = lessons.get(lesson.origin);
    lessons.delete(lesson.origin);
    lessons.set(lesson.origin, {
      segments: lesson.segments,
      expiresAtMs: Math.max(lesson.expiresAtMs, before?.expiresAtMs ?? 0),
    });
    evictOldest(lessons, MAX_ORIGINS, () => undefined);
    this.#names.delete(lesson.name);
    this.#names.set(lesson.name, lessons);
    evictOldest(this.#names, this.#maxNames, () => {
      this.#forgotten++;
    });
  }

  /** The live segments of a learned name, less the pairs its own rules deny. */
  segmentsOf(name: string, denied: PairSet, nowMs: number): readonly Segment[] {
    const lessons = this.#names.get(name);
    if (lessons === undefined) return [];
    const live = [...lessons.values()].filter((lesson) => lesson.expiresAtMs > nowMs);
    return withoutPairs(
      live.flatMap((lesson) => lesson.segments),
      denied,
    );
  }

  /** Drops what has expired. */
  sweep(nowMs: number): void {
    for (const [name, lessons] of this.#names) {
      for (const [origin, lesson] of lessons) {
        if (lesson.expiresAtMs <= nowMs) lessons.delete(origin);
      }
      if (lessons.size === 0) this.#names.delete(name);
    }
  }
}
