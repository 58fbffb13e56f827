// What the log tells a daemon that comes back: which events are in it already, the sums so far,
// and the clock offset, so that an event sent again gets the same time.
import type { AuditRecord } from '../core/audit/event.ts';
import { decodeRecord } from '../core/audit/jsonl.ts';
import type { AuditLogger } from './audit-logger.ts';
import { recordKey } from './flow-pipeline.ts';

/** The log so far. */
export interface Past {
  /** `recordKey` of the latest events. */
  readonly known: ReadonlySet<string>;
  readonly restarts: number;
  readonly clockOffsetNs: bigint | undefined;
}

/** More than two batches of the loader's: what it sends again is among these. */
const KEPT = 16_384;

/** Nothing has been written yet. */
export const NO_PAST: Past = { known: new Set(), restarts: 0, clockOffsetNs: undefined };

/** Reads the log line by line and counts its records; `read` calls back with every whole line. */
export function readPast(
  read: (onLine: (line: string) => void) => void,
  logger: AuditLogger,
): Past {
  let known = new Set<string>();
  let restarts = 0;
  let clockOffsetNs: bigint | undefined;
  const take = (record: AuditRecord) => {
    logger.count(record);
    if (record.event_type === 'session_started') clockOffsetNs = BigInt(record.clock_offset_ns);
    else if (record.event_type === 'daemon_restarted') restarts++;
    else if ('dst_ip' in record || 'pid' in record) known.add(recordKey(record));
    if (known.size >= 2 * KEPT) known = new Set([...known].slice(-KEPT));
  };
  read((line) => {
    const record = decodeRecord(line);
    if (record !== undefined) take(record);
  });
  return { known, restarts, clockOffsetNs };
}
