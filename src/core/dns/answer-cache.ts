// Upstream responses kept for their TTL (spec 7: bounded, TTL-true, NOERROR and NXDOMAIN).
import { RecentlyUsed, type Used } from '../recently-used.ts';
import { RCODE } from './codes.ts';
import type { Response } from './message.ts';

const MAX_ENTRIES = 8192;
const MAX_SECONDS = 24 * 60 * 60;
/** Longer responses are asked for again, so that nobody's long answers fill the memory. */
const MAX_WEIGHT = 1024;

/** A response, when it came and how long it is held, in milliseconds of the monotonic clock. */
export interface HeldResponse {
  readonly response: Response;
  readonly receivedAtMs: number;
  /** `receivedAtMs` for a response that is not held. */
  readonly expiresAtMs: number;
}

/** A response that came now. */
export function heldResponse(response: Response, receivedAtMs: number): HeldResponse {
  const expiresAtMs = receivedAtMs + cacheSeconds(response) * 1000;
  return { response, receivedAtMs, expiresAtMs };
}

type Entry = HeldResponse & Used;

/** About the bytes a response holds. */
function weightOf(response: Response): number {
  return response.answers.reduce((sum, { data }) => {
    return sum + 32 + (data.kind === 'raw' ? data.rdata.length : 16);
  }, 0);
}

/** Seconds a response may be used again; 0 when not at all. */
export function cacheSeconds(response: Response): number {
  if (response.truncated || weightOf(response) > MAX_WEIGHT) return 0;
  const isNegative = response.answers.length === 0 || response.rcode === RCODE.NXDOMAIN;
  if (response.rcode !== RCODE.NOERROR && response.rcode !== RCODE.NXDOMAIN) return 0;
  if (isNegative) return Math.min(MAX_SECONDS, response.negativeTtl ?? 0);
  const least = response.answers.reduce((seconds, { ttl }) => Math.min(seconds, ttl), MAX_SECONDS);
  // Behind an alias to nothing the "nothing" has a time of its own (RFC 2308, 2.2).
  const isAnswered = response.answers.some(({ type }) => type === response.question.type);
  return isAnswered ? least : Math.min(least, response.negativeTtl ?? least);
}

/** Responses by (name, type); the least recently used goes when full. */
export class AnswerCache {
  readonly #entries: RecentlyUsed<string, Entry>;

  constructor(maxEntries = MAX_ENTRIES) {
    this.#entries = new RecentlyUsed(maxEntries);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string, type: number, nowMs: number): HeldResponse | undefined {
    const key = `${type} ${name}`;
    const entry = this.#entries.use(key);
    if (entry === undefined || entry.expiresAtMs > nowMs) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  set(name: string, type: number, held: HeldResponse): void {
    if (held.expiresAtMs > held.receivedAtMs) {
      this.#entries.set(`${type} ${name}`, { ...held, used: 0 });
    }
  }
}
