// Replies that are given again within their second: by us the second time, by the kernel from then on.
import type { HeldResponse } from '../core/dns/answer-cache.ts';
import { type Grants, wholeSecond } from '../core/dns/grants.ts';
import { RecentReplies } from '../core/dns/recent-replies.ts';
import type { Resolutions } from '../core/dns/resolutions.ts';
import type { Address } from '../core/net/address.ts';
import type { DnsClock, GrantSink } from './dns-ports.ts';
import { KernelReplies } from './kernel-replies.ts';
import type { WholeAnswer } from './name-judge.ts';

/** A question over UDP that was answered. */
export interface Replied {
  readonly message: Uint8Array;
  readonly name: string;
  readonly isRunner: boolean;
  readonly reply: Uint8Array;
}

/** What replies that are given again stand on. */
export interface RepeatedRepliesOptions {
  readonly sink: GrantSink;
  readonly clock: Pick<DnsClock, 'nowMs'>;
  readonly resolutions: Resolutions;
  readonly grants: Pick<Grants, 'holds' | 'evicted'>;
}

/** The replies of the last second. */
export class RepeatedReplies {
  readonly #clock: Pick<DnsClock, 'nowMs'>;
  readonly #resolutions: Resolutions;
  readonly #grants: Pick<Grants, 'holds' | 'evicted'>;
  #evicted = 0;
  readonly #kernel: KernelReplies;
  readonly #recent: RecentReplies;

  constructor(options: RepeatedRepliesOptions) {
    const { sink, clock, resolutions, grants } = options;
    const kernel = new KernelReplies(sink, clock);
    this.#clock = clock;
    this.#resolutions = resolutions;
    this.#grants = grants;
    this.#kernel = kernel;
    this.#recent = new RecentReplies((...repeated) => kernel.give(...repeated));
  }

  /** The reply to a question that was answered a moment ago. */
  get(message: Uint8Array, isRunner: boolean): Uint8Array | undefined {
    return this.#recent.get(message, isRunner, this.#clock.nowMs());
  }

  /** Until the age or the end of the grants is another second; the policy never changes. */
  keep({ message, name, isRunner, reply }: Replied, held: HeldResponse, judged: WholeAnswer): void {
    const nowMs = this.#clock.nowMs();
    const ageMs = (nowMs - held.receivedAtMs) % 1000;
    const grantMs = wholeSecond(judged.expiresAtMs) - judged.expiresAtMs;
    const leftMs = Math.min(1000 - ageMs, grantMs, held.expiresAtMs - nowMs);
    if (leftMs <= 0) return;
    const { addresses } = judged;
    const granted = judged.grants.flatMap((one) => (one.grants.length > 0 ? one.address : []));
    const isLatest = () =>
      this.#resolutions.isLatest(name, addresses) && this.#grants.holds(name, granted);
    const recent = { reply, untilMs: nowMs + leftMs, addresses, isLatest };
    this.#recent.keep(message, isRunner, recent);
  }

  /** An answer has named these addresses, and may have taken grants of others: see KernelReplies. */
  overtake(addresses: readonly Address[]): Promise<void> | undefined {
    const { evicted } = this.#grants;
    const isAny = evicted !== this.#evicted;
    this.#evicted = evicted;
    return this.#kernel.overtake(isAny ? undefined : addresses);
  }

  /** Forgets what has ended. */
  sweep(): void {
    this.#kernel.sweep();
  }
}
