// What the log tells a daemon that comes back: which events are in it already, the sums so far,
// and the clock offset, so that an event sent again gets the same time.
import type { AuditEvent, AuditRecord } from '../core/audit/event.ts';
import { decodeRecord } from '../core/audit/jsonl.ts';
import { hostOf } from '../core/audit/traffic.ts';
import type { AuditLogger } from './audit-logger.ts';
import { recordKey } from './flow-pipeline.ts';

/** The log so far. */
export interface Past {
  /** `recordKey` of the latest events. */
  readonly known: ReadonlySet<string>;
  readonly restarts: number;
  readonly clockOffsetNs: bigint | undefined;
  /** Hosts with a record of a large upload. */
  readonly uploads: ReadonlySet<string>;
  /** Names of allowed addresses. */
  readonly names: ReadonlyMap<string, string>;
}

/** More than two batches of the loader's: what it sends again is among these. */
const KEPT = 16_384;

/** Nothing has been written yet. */
export const NO_PAST: Past = {
  known: new Set(),
  restarts: 0,
  clockOffsetNs: undefined,
  uploads: new Set(),
  names: new Map(),
};

/** What is taken from the log, record by record. */
class Reading {
  known = new Set<string>();
  readonly uploads = new Set<string>();
  names = new Map<string, string>();
  restarts = 0;
  clockOffsetNs: bigint | undefined;

  take(record: AuditRecord): void {
    switch (record.event_type) {
      case 'session_started':
        this.clockOffsetNs = BigInt(record.clock_offset_ns);
        return;
      case 'daemon_restarted':
        this.restarts++;
        return;
      case 'large_upload':
        this.uploads.add(hostOf(record));
        return;
      case 'traffic':
      case 'dns_unusual':
        return;
      default:
        if ('dst_ip' in record || 'pid' in record) this.#takeEvent(record);
    }
  }

  #takeEvent(record: AuditEvent): void {
    const { event_type, dst_ip = '', dst_hostname } = record;
    if (event_type === 'connection_allowed' && dst_hostname !== undefined) {
      this.names.set(dst_ip, dst_hostname);
      if (this.names.size >= 2 * KEPT) this.names = new Map([...this.names].slice(-KEPT));
    }
    this.known.add(recordKey(record));
    if (this.known.size >= 2 * KEPT) this.known = new Set([...this.known].slice(-KEPT));
  }
}

/** Reads the log line by line and counts its records; `read` calls back with every whole line. */
export function readPast(
  read: (onLine: (line: string) => void) => void,
  logger: AuditLogger,
): Past {
  const reading = new Reading();
  read((line) => {
    const record = decodeRecord(line);
    if (record === undefined) return;
    logger.count(record);
    reading.take(record);
  });
  return reading;
}
