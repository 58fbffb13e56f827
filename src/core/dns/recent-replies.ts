// Replies of the last moment, by the bytes of their question. The same question within a second gets
// the same reply but for its id: the times in it, and the ends of the grants it stands on, are whole
// seconds. What a question is recorded, granted or learned for has been done by then.
import type { Address } from '../net/address.ts';

const MAX_REPLIES = 1024;
const MAX_QUESTION = 512;
const MAX_REPLY = 1232;
const ID_SIZE = 2;

/** A reply that may be given again. */
export interface RecentReply {
  readonly reply: Uint8Array;
  readonly untilMs: number;
  /** What it names. */
  readonly addresses: readonly Address[];
  /** Whether nothing has come since that answering anew would put behind it. */
  readonly isLatest: () => boolean;
}

/** Hears of a question that has been asked again for the first time. */
export type OnRepeat = (question: Uint8Array, isRunner: boolean, recent: RecentReply) => void;

interface Kept extends RecentReply {
  isRepeated: boolean;
}

/** All of a question but its id, and for whom. */
function keyOf(question: Uint8Array, isRunner: boolean): string {
  const bytes = Reflect.apply(String.fromCharCode, null, question.subarray(ID_SIZE));
  return isRunner ? `runner ${bytes}` : bytes;
}

/** Replies to questions over UDP; bounded. Times in milliseconds of the monotonic clock. */
export class RecentReplies {
  readonly #replies = new Map<string, Kept>();
  readonly #onRepeat: OnRepeat;

  constructor(onRepeat: OnRepeat) {
    this.#onRepeat = onRepeat;
  }

  /** The reply to a question that was answered a moment ago, under the question's own id. */
  get(question: Uint8Array, isRunner: boolean, nowMs: number): Uint8Array | undefined {
    if (question.length > MAX_QUESTION) return undefined;
    const recent = this.#replies.get(keyOf(question, isRunner));
    if (recent === undefined || recent.untilMs <= nowMs || !recent.isLatest()) return undefined;
    if (!recent.isRepeated) {
      recent.isRepeated = true;
      this.#onRepeat(question, isRunner, recent);
    }
    const reply = recent.reply.slice();
    reply.set(question.subarray(0, ID_SIZE));
    return reply;
  }

  /** Keeps a reply to be given again. */
  keep(question: Uint8Array, isRunner: boolean, recent: RecentReply): void {
    if (question.length > MAX_QUESTION || recent.reply.length > MAX_REPLY) return;
    if (this.#replies.size >= MAX_REPLIES) this.#replies.clear();
    this.#replies.set(keyOf(question, isRunner), { ...recent, isRepeated: false });
  }
}
