// Names with grants, the numbers that stand for them in kernel entries and events, and the
// addresses each one holds. A number is never used twice.
import type { AddressState } from './address-grants.ts';
import { evictOldest } from './evict.ts';

const MAX_NAMES = 65_536;

/** A name that was granted. */
export interface GrantedName {
  readonly id: number;
  readonly text: string;
  /** Addresses with a grant of this name, the least recently answered first. */
  held: readonly AddressState[];
}

const NONE: readonly AddressState[] = [];

/** Names by text and number; bounded, the least recently granted is forgotten (its events stay nameless). */
export class GrantedNames {
  readonly #byText = new Map<string, GrantedName>();
  readonly #byId = new Map<number, GrantedName>();
  readonly #maxNames: number;
  #last: number;

  /** `last`: numbers up to here were given out before, by a daemon that is gone. */
  constructor(last = 0, maxNames = MAX_NAMES) {
    this.#last = last;
    this.#maxNames = maxNames;
  }

  /** The name of a text, as the latest; a new one when it has none. */
  of(text: string): GrantedName {
    const known = this.#byText.get(text);
    const name = known ?? { id: ++this.#last, text, held: NONE };
    if (known === undefined) this.#byId.set(name.id, name);
    else this.#byText.delete(text);
    this.#byText.set(text, name);
    evictOldest(this.#byText, this.#maxNames, ({ id }) => this.#byId.delete(id));
    return name;
  }

  get(id: number): GrantedName | undefined {
    return this.#byId.get(id);
  }

  /** Names that hold addresses, the latest granted first. */
  holding(): readonly string[] {
    const holding = [...this.#byText.values()].filter(({ held }) => held.length > 0);
    return holding.map(({ text }) => text).reverse();
  }
}
