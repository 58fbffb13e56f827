// Upstream responses kept for their TTL (spec 7: bounded, TTL-true, NOERROR and NXDOMAIN).
import { RCODE } from './codes.ts';
import { evictOldest } from './evict.ts';
import type { Response } from './message.ts';

const MAX_ENTRIES = 8192;
const MAX_SECONDS = 24 * 60 * 60;
/** Longer responses are asked for again, so that nobody's long answers fill the memory. */
const MAX_WEIGHT = 1024;

/** A response and when it came, in milliseconds of the monotonic clock. */
export interface HeldResponse {
  readonly response: Response;
  readonly receivedAtMs: number;
}

interface Entry extends HeldResponse {
  readonly expiresAtMs: number;
}

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
  return response.answers.reduce((least, record) => Math.min(least, record.ttl), MAX_SECONDS);
}

/** Responses by (name, type); the least recently used goes when full. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;

  constructor(maxEntries = MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string, type: number, nowMs: number): HeldResponse | undefined {
    const key = `${type} ${name}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAtMs <= nowMs) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  set(name: string, type: number, held: HeldResponse): void {
    const seconds = cacheSeconds(held.response);
    if (seconds === 0) return;
    const key = `${type} ${name}`;
    this.#entries.delete(key);
    this.#entries.set(key, { ...held, expiresAtMs: held.receivedAtMs + seconds * 1000 });
    evictOldest(this.#entries, this.#maxEntries, () => undefined);
  }
}
