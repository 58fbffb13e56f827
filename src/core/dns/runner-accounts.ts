// Storage accounts of the runner's service beyond the twenty known ones (spec 6): only when a
// runner process itself asks, at most four.
import { emptyPairs } from '../net/pair-set.ts';
import { type Segment, segment } from './segment.ts';

const MAX_ACCOUNTS = 4;
const ACCOUNT = /^productionresultssa[0-9]{1,4}\.blob\.core\.windows\.net$/;

const HTTPS_ONLY: Segment = segment({
  kind: 'runner',
  pairs: { ...emptyPairs(), tcp: { kind: 'some', ports: [443] } },
  rule: 0,
  private: false,
});

/** The further accounts admitted so far. */
export class RunnerAccounts {
  readonly #names = new Set<string>();
  #refused = 0;

  /** Accounts that were asked for when there was no more room. */
  get refused(): number {
    return this.#refused;
  }

  get names(): readonly string[] {
    return [...this.#names];
  }

  /** The segments of a further account; a runner process's question admits it. */
  segmentsOf(name: string, isRunner: boolean): readonly Segment[] {
    if (this.#names.has(name)) return [HTTPS_ONLY];
    if (!isRunner || !ACCOUNT.test(name)) return [];
    if (this.#names.size >= MAX_ACCOUNTS) {
      this.#refused++;
      return [];
    }
    this.#names.add(name);
    return [HTTPS_ONLY];
  }
}
