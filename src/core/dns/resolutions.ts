// Which names were seen with which addresses in the last 24 h (spec 8, dst_hostname); for records
// only, nothing is ever opened by it. Bounded; the least recently answered address goes.
import { type Address, addressKey } from '../net/address.ts';
import { RecentlyUsed, type Used } from '../recently-used.ts';
import { OneOrMany } from './one-or-many.ts';

const MAX_ADDRESSES = 65_536;
const MAX_NAMES_OF_AN_ADDRESS = 8;
const DAY_MS = 24 * 60 * 60 * 1000;

/** An answer that was given; `runnerOnly` when everybody else was refused it. */
export interface Resolution {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly atMs: number;
  readonly runnerOnly: boolean;
}

interface Seen {
  readonly name: string;
  readonly atMs: number;
  readonly runnerOnly: boolean;
}

class SeenNames extends OneOrMany<Seen> implements Used {
  used = 0;

  protected override keyOf({ name }: Seen): string {
    return name;
  }
}

/** The resolutions of the last 24 h; times in milliseconds of the monotonic clock, passed in. */
export class Resolutions {
  readonly #addresses: RecentlyUsed<string, SeenNames>;
  #evicted = 0;

  constructor(maxAddresses = MAX_ADDRESSES) {
    this.#addresses = new RecentlyUsed(maxAddresses, () => {
      this.#evicted++;
    });
  }

  /** Addresses forgotten because there was no room. */
  get evicted(): number {
    return this.#evicted;
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** Remembers an answer. */
  note({ name, addresses, atMs, runnerOnly }: Resolution): void {
    for (const address of addresses) {
      const key = addressKey(address);
      const known = this.#addresses.use(key);
      const names = known ?? new SeenNames();
      names.set({ name, atMs: Math.floor(atMs), runnerOnly });
      const oldest = names.size > MAX_NAMES_OF_AN_ADDRESS ? names.oldest() : undefined;
      if (oldest !== undefined) names.delete(oldest);
      if (known === undefined) this.#addresses.set(key, names);
    }
  }

  /**
   * The names answered with the address in the last 24 h, the latest first; `forRunner` includes
   * those that only the runner was answered.
   */
  namesFor(address: Address, nowMs: number, forRunner = false): readonly string[] {
    const names = this.#addresses.get(addressKey(address))?.values() ?? [];
    return names
      .filter((seen) => nowMs - seen.atMs <= DAY_MS && (forRunner || !seen.runnerOnly))
      .map(({ name }) => name)
      .reverse();
  }

  /** Whether no other name was answered with any of these addresses since this one was. */
  isLatest(name: string, addresses: readonly Address[]): boolean {
    return addresses.every((one) => this.#addresses.get(addressKey(one))?.latest()?.name === name);
  }

  /** Drops what is older than 24 h. */
  sweep(nowMs: number): void {
    for (const [key, names] of this.#addresses.entries()) {
      for (const seen of names.values()) if (nowMs - seen.atMs > DAY_MS) names.delete(seen);
      if (names.size === 0) this.#addresses.delete(key);
    }
  }
}
