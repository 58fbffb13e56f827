// The last blocked attempt of each destination, kept for a while: what a late answer speaks of
// (spec 7, Late allow). Bounded; the oldest is dropped and counted. Times in milliseconds of
// CLOCK_MONOTONIC, passed in.
import { type Address, addressKey } from '../net/address.ts';
import type { Protocol } from '../net/protocol.ts';
import type { AuditEvent } from './event.ts';

const MAX_ATTEMPTS = 4096;

/** An attempt that no rule decided. */
export interface BlockedAttempt {
  readonly address: Address;
  readonly protocol: Protocol;
  /** 0 for ICMP. */
  readonly port: number;
  /** Its record, as written. */
  readonly record: AuditEvent;
}

interface Kept extends BlockedAttempt {
  readonly atMs: number;
}

function keyOf({ address, protocol, port }: BlockedAttempt): string {
  return `${addressKey(address)} ${protocol} ${port}`;
}

/** The recent blocks of a session. */
export class RecentBlocks {
  readonly #keepMs: number;
  readonly #attempts = new Map<string, Kept>();
  readonly #keysOf = new Map<string, Set<string>>();
  #dropped = 0;

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** Attempts dropped because there was no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Remembers an attempt in the place of an earlier one of its destination. */
  note(attempt: BlockedAttempt, nowMs: number): void {
    const key = keyOf(attempt);
    const ofAddress = addressKey(attempt.address);
    this.#attempts.delete(key);
    this.#attempts.set(key, { ...attempt, atMs: nowMs });
    const keys = this.#keysOf.get(ofAddress) ?? new Set<string>();
    keys.add(key);
    this.#keysOf.set(ofAddress, keys);
    this.#makeRoom(nowMs);
  }

  #makeRoom(nowMs: number): void {
    for (const [key, oldest] of this.#attempts) {
      const isOver = nowMs - oldest.atMs > this.#keepMs;
      if (!isOver && this.#attempts.size <= MAX_ATTEMPTS) break;
      if (!isOver) this.#dropped++;
      this.#remove(key, oldest);
    }
  }

  #remove(key: string, attempt: BlockedAttempt): void {
    this.#attempts.delete(key);
    const ofAddress = addressKey(attempt.address);
    const keys = this.#keysOf.get(ofAddress);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOf.delete(ofAddress);
  }

  /** Takes out the attempts to an address that are recent and `isCovered`. */
  take(
    address: Address,
    isCovered: (attempt: BlockedAttempt) => boolean,
    nowMs: number,
  ): readonly BlockedAttempt[] {
    const taken: BlockedAttempt[] = [];
    for (const key of [...(this.#keysOf.get(addressKey(address)) ?? [])]) {
      const attempt = this.#attempts.get(key);
      if (attempt === undefined) continue;
      const isOver = nowMs - attempt.atMs > this.#keepMs;
      if (!isOver && !isCovered(attempt)) continue;
      this.#remove(key, attempt);
      if (!isOver) taken.push(attempt);
    }
    return taken;
  }
}
