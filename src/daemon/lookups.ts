// Look-ups of (name, type): from the cache, or asked of the upstreams once however many ask.
import { AnswerCache, type HeldResponse, heldResponse } from '../core/dns/answer-cache.ts';
import type { DnsCounters } from './dns-counters.ts';
import type { DnsClock } from './dns-ports.ts';
import type { Upstreams } from './upstreams.ts';

/** The look-ups of a session. */
export class Lookups {
  readonly #cache = new AnswerCache();
  readonly #asking = new Map<string, Promise<HeldResponse>>();
  readonly #upstreams: Upstreams;
  readonly #clock: DnsClock;
  readonly #counters: DnsCounters;

  constructor(upstreams: Upstreams, clock: DnsClock, counters: DnsCounters) {
    this.#upstreams = upstreams;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** The response and when it came; errors: UpstreamError. */
  ask(name: string, type: number): Promise<HeldResponse> {
    const held = this.#cache.get(name, type, this.#clock.nowMs());
    if (held !== undefined) {
      this.#counters.cacheHits++;
      return Promise.resolve(held);
    }
    const key = `${type} ${name}`;
    const asking = this.#asking.get(key);
    if (asking !== undefined) {
      this.#counters.shared++;
      return asking;
    }
    return this.#share(name, type);
  }

  /** The same, but never from the cache. */
  askAgain(name: string, type: number): Promise<HeldResponse> {
    return this.#asking.get(`${type} ${name}`) ?? this.#share(name, type);
  }

  #share(name: string, type: number): Promise<HeldResponse> {
    const key = `${type} ${name}`;
    const asked = this.#askAfresh(name, type, key);
    this.#asking.set(key, asked);
    return asked;
  }

  async #askAfresh(name: string, type: number, key: string): Promise<HeldResponse> {
    try {
      const response = await this.#upstreams.ask(name, type);
      const held = heldResponse(response, this.#clock.nowMs());
      this.#cache.set(name, type, held);
      return held;
    } finally {
      this.#asking.delete(key);
    }
  }
}
