// Repeats of one process's refused flow (retransmissions that only packets tell of) become one record
// with a count. A refused call is an attempt of its own and never folded.
import type { FlowEvent } from '../flow/flow-event.ts';
import { LAYER } from '../flow/layout.gen.ts';
import { RecentlyUsed, type Used } from '../recently-used.ts';
import type { AuditEvent } from './event.ts';

const MAX_FLOWS = 16_384;
/** A flow ends after this long without a packet (spec 8). */
const IDLE_MS = 300_000;

interface Repeats extends Used {
  readonly record: AuditEvent;
  lastMs: number;
  count: number;
  last: string;
}

function keyOf(event: FlowEvent, record: AuditEvent): string {
  const { src_ip, dst_ip, blocked, would_deny } = record;
  const { protocol, srcPort, dstPort, ethertype, pid, startNs, execs, cgroup } = event;
  const who = [pid, startNs, execs, cgroup, blocked, would_deny];
  return [protocol, src_ip, srcPort, dst_ip, dstPort, ethertype, ...who].join(' ');
}

/** Remembers flows and counts their repeats; bounded, the least recently seen is let go. */
export class Coalescer {
  readonly #flows = new RecentlyUsed<string, Repeats>(MAX_FLOWS, (seen) => this.#letGo(seen));
  readonly #done: AuditEvent[] = [];

  /** Whether the record is to be written now; a repeat is counted instead. */
  isFirst(event: FlowEvent, record: AuditEvent, nowMs: number): boolean {
    const isPacket = event.layer === LAYER.EGRESS || event.layer === LAYER.TC;
    if (event.allowed || !isPacket) return true;
    const key = keyOf(event, record);
    const seen = this.#flows.use(key);
    if (seen === undefined || nowMs - seen.lastMs > IDLE_MS) {
      if (seen !== undefined) this.#letGo(seen);
      const fresh = { record, lastMs: nowMs, count: 0, last: record.timestamp, used: 0 };
      this.#flows.set(key, fresh);
      return true;
    }
    seen.lastMs = nowMs;
    seen.count += event.count;
    seen.last = record.timestamp;
    return false;
  }

  #letGo({ record, count, last }: Repeats): void {
    if (count === 0) return;
    this.#done.push({ ...record, timestamp: last, count, mid_stream: true });
  }

  /** The records of repeats gathered since the last time. */
  flush(nowMs: number): readonly AuditEvent[] {
    for (const [key, seen] of this.#flows.entries()) {
      this.#letGo(seen);
      seen.count = 0;
      if (nowMs - seen.lastMs > IDLE_MS) this.#flows.delete(key);
    }
    return this.#done.splice(0);
  }
}
