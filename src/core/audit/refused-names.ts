// Floods of refused questions: the first of each second are records of their own, the rest is held as
// numbers and told once a second. So a flood doesn't fill the log, and the sum of `count` stays the
// number of questions. What is held in a second is bounded by the numbers below, whoever asks what.
// Times in milliseconds of CLOCK_MONOTONIC, passed in.
import { RecentlyUsed, type Used } from '../recently-used.ts';
import type { AuditEvent } from './event.ts';

/** Questions of one asker that are records of their own, a second. */
export const TOLD_A_SECOND = 64;
/** Further names of one asker that are told with their number, a second. */
export const NAMED_A_SECOND = 64;
/** Records of their own, and names told with their number, of all askers together, a second. */
const TOLD_BY_ALL = 256;
const NAMED_BY_ALL = 256;
/** What of its own each asker is told of whatever the others ask: so many at once, then one a second. */
export const TOLD_ALWAYS = 16;
/** The least recently seen go, and have a new share when they come back. */
const MAX_ASKERS = 4096;
/** More than these at once, and what is held is told before its second is over. */
const MAX_HELD = 8192;
const SECOND_MS = 1000;

/** What one asker has had in its latest second, and what it is told of always. */
interface Share extends Used {
  second: number;
  told: number;
  named: number;
  always: number;
  atMs: number;
}

/** Questions that are told together. */
interface Held {
  /** The first of them. */
  readonly record: AuditEvent;
  /** Its name and type are those of all. */
  readonly isNamed: boolean;
  count: number;
  last: string;
}

/** Sources on loopback are one: everybody has sixteen million of them. */
function sourceOf({ src_ip: source = '' }: AuditEvent): string {
  return source.startsWith('127.') ? '127' : source;
}

/**
 * Whose question it is: the process; in a network of its own also the address, since a forwarder asks
 * for several containers; the address alone where the process is not known.
 */
function askerOf(record: AuditEvent): string {
  const { pid = 0, origin } = record;
  if (pid === 0) return `? ${sourceOf(record)}`;
  return origin === 'container' ? `${pid} ${sourceOf(record)}` : `${pid}`;
}

/** What records told by number alone have in common, besides their asker. */
function kindOf(record: AuditEvent): string {
  const { protocol, matched_rule: rule, would_deny, expected, reason, start_ticks, exe } = record;
  return [protocol, rule, would_deny, expected, reason, start_ticks, exe?.dev, exe?.ino].join('\0');
}

function recordOf({ record, isNamed, count, last }: Held): AuditEvent {
  if (count === 1) return record;
  const { dst_hostname: _name, query_type: _type, ...nameless } = record;
  return { ...(isNamed ? record : nameless), count, last_seen: last };
}

/** Refused questions of a session on their way to the log. */
export class RefusedNames {
  readonly #shares = new RecentlyUsed<string, Share>(MAX_ASKERS);
  readonly #held = new Map<string, Held>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #second = 0;
  #told = 0;
  #named = 0;

  /** Takes one question's record; what is to be written now, in order. */
  note(record: AuditEvent, nowMs: number): readonly AuditEvent[] {
    const before = this.#beginSecond(nowMs);
    const asker = askerOf(record);
    const share = this.#shareOf(asker, nowMs);
    if (this.#isTold(share)) return [...before, record];
    this.#hold(record, asker, share);
    return before;
  }

  /** What is held, told; a second's shares go on. To be called every second and before a seal. */
  take(): readonly AuditEvent[] {
    const records = [...this.#held.values()].map(recordOf);
    this.#held.clear();
    return records;
  }

  #beginSecond(nowMs: number): readonly AuditEvent[] {
    if (nowMs - this.#sinceMs < SECOND_MS) return this.#held.size < MAX_HELD ? [] : this.take();
    this.#sinceMs = nowMs;
    this.#second++;
    this.#told = 0;
    this.#named = 0;
    return this.take();
  }

  #shareOf(asker: string, nowMs: number): Share {
    const second = this.#second;
    const known = this.#shares.use(asker);
    const share = known ?? { second, told: 0, named: 0, always: TOLD_ALWAYS, atMs: nowMs, used: 0 };
    if (known === undefined) this.#shares.set(asker, share);
    if (share.second !== second) {
      share.always = Math.min(TOLD_ALWAYS, share.always + (nowMs - share.atMs) / SECOND_MS);
      Object.assign(share, { second, told: 0, named: 0, atMs: nowMs });
    }
    return share;
  }

  #isTold(share: Share): boolean {
    if (share.told >= TOLD_A_SECOND) return false;
    if (this.#told < TOLD_BY_ALL) this.#told++;
    else if (share.always >= 1) share.always--;
    else return false;
    share.told++;
    return true;
  }

  #hold(record: AuditEvent, asker: string, share: Share): void {
    const kind = `${asker}\0${kindOf(record)}`;
    const named = `${kind}\0${record.query_type}\0${record.dst_hostname}`;
    const isNamed = this.#held.has(named) || this.#takeName(share);
    const key = isNamed ? named : kind;
    const held = this.#held.get(key);
    if (held === undefined) {
      this.#held.set(key, { record, isNamed, count: 1, last: record.timestamp });
    } else {
      held.count++;
      held.last = record.timestamp;
    }
  }

  /** Whether one more name of an asker may be told by name in this second. */
  #takeName(share: Share): boolean {
    if (share.named >= NAMED_A_SECOND || this.#named >= NAMED_BY_ALL) return false;
    share.named++;
    this.#named++;
    return true;
  }
}
