// Names with grants, the numbers that stand for them in kernel entries and events, and the
// addresses each one holds. A number is never used twice.
import { RecentlyUsed, type Used } from '../recently-used.ts';
import type { AddressState } from './address-grants.ts';

const MAX_NAMES = 65_536;

/** A name that was granted. */
export interface GrantedName extends Used {
  readonly id: number;
  readonly text: string;
  /** Addresses with a grant of this name, the least recently answered first. */
  held: readonly AddressState[];
}

const NONE: readonly AddressState[] = [];

/** Names by text and number; bounded, the least recently granted is forgotten (its events stay nameless). */
export class GrantedNames {
  readonly #byText: RecentlyUsed<string, GrantedName>;
  readonly #byId = new Map<number, GrantedName>();
  #last: number;

  /** `last`: numbers up to here were given out before, by a daemon that is gone. */
  constructor(last = 0, maxNames = MAX_NAMES) {
    this.#last = last;
    this.#byText = new RecentlyUsed(maxNames, ({ id }) => this.#byId.delete(id));
  }

  /** The name of a text, as the latest; a new one when it has none. */
  of(text: string): GrantedName {
    const known = this.#byText.use(text);
    if (known !== undefined) return known;
    const name = { id: ++this.#last, text, held: NONE, used: 0 };
    this.#byId.set(name.id, name);
    this.#byText.set(text, name);
    return name;
  }

  get(id: number): GrantedName | undefined {
    return this.#byId.get(id);
  }

  /** The addresses of a text's name that hold its grants, the least recently answered first. */
  heldBy(text: string): readonly AddressState[] {
    return this.#byText.get(text)?.held ?? NONE;
  }

  /** Names that hold addresses, the latest granted first. */
  holding(): readonly string[] {
    const holding = this.#byText.latestFirst().filter(({ held }) => held.length > 0);
    return holding.map(({ text }) => text);
  }
}
