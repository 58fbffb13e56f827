// Replies the kernel gives by itself for the rest of their second (bpf/again.bpf.h). What
// would put another name in front of theirs takes them back first.
import type { RecentReply } from '../core/dns/recent-replies.ts';
import { replyEnd, replyKey, replyWrite } from '../core/flow/reply-write.ts';
import { type Address, addressKey } from '../core/net/address.ts';
import type { DnsClock, GrantSink } from './dns-ports.ts';

/** As many as the kernel's map takes. */
const MAX_GIVEN = 1024;

/** A reply the kernel has. */
interface Given {
  readonly key: Uint8Array;
  readonly recent: RecentReply;
}

/** What the kernel has been given, by the addresses it names. */
export class KernelReplies {
  readonly #sink: GrantSink;
  readonly #clock: Pick<DnsClock, 'nowMs'>;
  readonly #byAddress = new Map<string, Set<Given>>();
  #size = 0;
  #number: bigint;

  constructor(sink: GrantSink, clock: Pick<DnsClock, 'nowMs'>) {
    this.#sink = sink;
    this.#clock = clock;
    // An earlier daemon's numbers are below: it has given fewer than one a nanosecond.
    this.#number = BigInt(Math.floor(clock.nowMs() * 1e6));
  }

  /** Gives the kernel a reply; what it can't take, the daemon goes on giving. */
  give(question: Uint8Array, isRunner: boolean, recent: RecentReply): void {
    const key = replyKey(question, isRunner);
    if (this.#size >= MAX_GIVEN) this.sweep();
    if (key === undefined || this.#size >= MAX_GIVEN) return;
    this.#number++;
    const write = replyWrite(key, { ...recent, number: this.#number });
    if (write === undefined) return;
    if (recent.addresses.length > 0) this.#remember({ key, recent });
    this.#sink.apply([write]).catch(() => undefined);
  }

  #remember(given: Given): void {
    for (const address of given.recent.addresses) {
      const at = addressKey(address);
      const there = this.#byAddress.get(at) ?? new Set();
      this.#byAddress.set(at, there.add(given));
    }
    this.#size++;
  }

  /**
   * Takes back what names one of these addresses, or any without them, and is not the latest to do so
   * any more; resolves when the kernel has none of it, undefined when there is nothing to wait for.
   */
  overtake(addresses?: readonly Address[]): Promise<void> | undefined {
    if (this.#size === 0) return undefined;
    const keys = addresses?.map(addressKey) ?? [...this.#byAddress.keys()];
    const named = keys.flatMap((key) => [...(this.#byAddress.get(key) ?? [])]);
    const behind = [...new Set(named)].filter(({ recent }) => !recent.isLatest());
    if (behind.length === 0) return undefined;
    for (const given of behind) this.#forget(given);
    return this.#sink.apply(behind.map(({ key }) => replyEnd(key)));
  }

  #forget(given: Given): void {
    let isKnown = false;
    for (const address of given.recent.addresses) {
      const at = addressKey(address);
      const there = this.#byAddress.get(at);
      if (there?.delete(given) === true) isKnown = true;
      if (there?.size === 0) this.#byAddress.delete(at);
    }
    if (isKnown) this.#size--;
  }

  /** Forgets what has ended; the kernel gives none of it any more. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const there of this.#byAddress.values()) {
      for (const given of there) if (given.recent.untilMs <= nowMs) this.#forget(given);
    }
  }
}
