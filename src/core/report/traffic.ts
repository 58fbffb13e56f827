// Bytes sent, joined to the rows of allowed connections. Each seal says the totals anew: the last one
// counts.
import type { LargeUpload, Traffic } from '../audit/event.ts';
import { hostOf, isJobs } from '../audit/traffic.ts';
import type { Row } from './aggregate.ts';

/** Hosts with the bytes the job has sent to each, the most first. */
export type LargeUploads = readonly { readonly host: string; readonly bytes: number }[];

const SCALES = [
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
] as const;

/** `5.0 MB`, `512 B`; decimal units. */
export function bytesText(bytes: number): string {
  const [scale, unit] = SCALES.find(([one]) => bytes >= one) ?? [1, 'B'];
  return `${scale === 1 ? bytes : (bytes / scale).toFixed(1)} ${unit}`;
}

function destinationOf(row: Pick<Row, 'host' | 'address' | 'port' | 'protocol' | 'origin'>) {
  const { host, address, port, protocol, origin } = row;
  return [host === '' ? address : host, port, protocol, origin].join('\0');
}

function rowOf(record: Traffic): Row {
  return {
    host: record.dst_hostname ?? '',
    address: record.dst_ip,
    port: record.dst_port ?? 0,
    protocol: record.protocol,
    process: record.process ?? '',
    exe: undefined,
    ancestors: [],
    origin: record.origin,
    rule: record.matched_rule ?? '',
    autoAllowedType: record.auto_allowed_type ?? '',
    reason: '',
    expected: false,
    status: 'allowed',
    firstSeen: record.timestamp,
    lastSeen: record.timestamp,
    pid: 0,
    count: 0,
    bytes: 0,
  };
}

/**
 * The row a total belongs to: the process's own, of the same rule rather than of another. What was
 * counted without a process (at the wall) belongs to the only row of its destination.
 */
function rowFor(total: Row, rows: readonly Row[]): Row | undefined {
  const own = rows.filter(({ process }) => process === total.process);
  const [only, ...more] = rows;
  if (own.length === 0 && total.process === '') return more.length === 0 ? only : undefined;
  return own.find(({ rule, status }) => rule === total.rule && status === 'allowed') ?? own[0];
}

/** What was sent, by the records of a log. */
export class TrafficSums {
  #sealed: readonly Traffic[] = [];
  #current: Traffic[] = [];
  readonly #large = new Map<string, number>();

  add(record: Traffic): void {
    this.#current.push(record);
  }

  addLarge(record: LargeUpload): void {
    this.#large.set(hostOf(record), record.bytes_out);
  }

  /** What was added since the last seal is all that was sent until this one. */
  seal(): void {
    this.#sealed = this.#current;
    this.#current = [];
  }

  /** The rows with their bytes, and rows without connections for bytes that belong to none of them. */
  joinedTo(rows: readonly Row[]): readonly Row[] {
    const all = rows.map((row) => ({ ...row }));
    const byDestination = new Map<string, Row[]>();
    for (const row of all) {
      const key = destinationOf(row);
      byDestination.set(key, [...(byDestination.get(key) ?? []), row]);
    }
    for (const record of this.#sealed) {
      if (record.would_deny) continue;
      const total = rowOf(record);
      const key = destinationOf(total);
      const near = byDestination.get(key) ?? [];
      const row = rowFor(total, near);
      if (row === undefined) {
        total.bytes = record.bytes_out;
        all.push(total);
        byDestination.set(key, [...near, total]);
      } else {
        row.bytes += record.bytes_out;
      }
    }
    return all;
  }

  largeUploads(): LargeUploads {
    const sums = new Map<string, number>();
    for (const record of this.#sealed) {
      const host = hostOf(record);
      if (isJobs(record.origin)) sums.set(host, (sums.get(host) ?? 0) + record.bytes_out);
    }
    return [...this.#large]
      .map(([host, bytes]) => ({ host, bytes: Math.max(bytes, sums.get(host) ?? 0) }))
      .toSorted((one, other) => other.bytes - one.bytes);
  }
}
