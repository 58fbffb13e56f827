// Records -> Report: what was seen, grouped by destination, refusals first.
import type {
  AuditEvent,
  AuditRecord,
  Exe,
  Origin,
  SessionEnded,
  SessionStarted,
} from '../audit/event.ts';
import type { DecodedLog } from '../audit/jsonl.ts';
import { isJobs as isJobsOrigin } from '../audit/traffic.ts';
import { type LargeUploads, TrafficSums } from './traffic.ts';

/** Records of one destination by one process. */
export interface Row {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly process: string;
  readonly exe: Exe | undefined;
  /** What the ancestors of the first called themselves, the parent first. */
  readonly ancestors: readonly string[];
  readonly origin: Origin;
  readonly rule: string;
  readonly autoAllowedType: string;
  readonly reason: string;
  /** A refusal that `expected-blocks` lists. */
  readonly expected: boolean;
  /** Refused, or in audit mode would have been. */
  readonly status: 'blocked' | 'would be blocked' | 'allowed' | 'late allowed';
  readonly firstSeen: string;
  lastSeen: string;
  readonly pid: number;
  count: number;
  /** Payload sent; of allowed rows only. */
  bytes: number;
}

/** What happened to the session itself. */
export interface Incident {
  readonly timestamp: string;
  readonly kind: string;
  readonly reason: string;
}

/** Everything the summary shows. */
export interface Report {
  readonly started: SessionStarted | undefined;
  readonly ended: SessionEnded | undefined;
  readonly blocked: readonly Row[];
  readonly dns: readonly Row[];
  readonly allowed: readonly Row[];
  readonly existing: readonly Row[];
  /** Connections and names that `expected-blocks` lists; in none of the others. */
  readonly expected: readonly Row[];
  /** Attempts of the job that were refused and not expected. */
  readonly unexpected: number;
  readonly incidents: readonly Incident[];
  /** The log says what was sent: it is sealed, by a version that counts. */
  readonly bytesKnown: boolean;
  /** Hosts that the job has sent more than the threshold, with what it sent in all. */
  readonly largeUploads: LargeUploads;
  readonly attempts: number;
  readonly records: number;
  /** Attempts that were refused first and allowed by a later answer; no row of `blocked` has them. */
  readonly superseded: number;
  /** Attempts of destinations beyond those that rows are kept of. */
  readonly beyondRows: number;
  readonly badLines: readonly number[];
}

/** Ancestors that a record has at most. */
const MAX_ANCESTORS = 8;
/** Rows kept of each kind: memory must not grow with what a job invents. */
const MAX_ROWS = 20_000;
const MAX_INCIDENTS = 1000;
const NO_IP = 'Protocol-255';

function statusOf(event: AuditEvent): Row['status'] {
  if (event.blocked) return 'blocked';
  if (event.would_deny) return 'would be blocked';
  return event.event_type === 'connection_late_allowed' ? 'late allowed' : 'allowed';
}

/** Frames that are not IP and sockets that no hook guards have no address: the kind is what tells them apart. */
function addressOf({ dst_ip: address, protocol, reason }: AuditEvent): string {
  if (address !== undefined && address !== '') return address;
  return protocol === NO_IP ? (reason ?? '') : '';
}

function rowOf(event: AuditEvent): Row {
  return {
    host: event.dst_hostname ?? '',
    address: addressOf(event),
    port: event.dst_port ?? 0,
    protocol: event.event_type === 'dns_blocked' ? '' : (event.protocol ?? ''),
    process: event.process ?? '',
    exe: event.exe,
    ancestors: (event.ancestry ?? []).slice(0, MAX_ANCESTORS).map(({ process }) => process),
    origin: event.origin ?? 'unknown',
    rule: event.matched_rule ?? '',
    autoAllowedType: event.auto_allowed_type ?? '',
    reason: event.reason ?? '',
    expected: event.expected === true,
    status: statusOf(event),
    firstSeen: event.timestamp,
    lastSeen: event.last_seen ?? event.timestamp,
    pid: event.pid ?? 0,
    count: 0,
    bytes: 0,
  };
}

/** Destinations with names are one whatever their address. */
function keyOf(row: Row): string {
  const { host, address, port, protocol, process, exe, origin, status, rule, expected } = row;
  const parts = [host === '' ? address : host, port, protocol, process, exe?.dev, exe?.ino];
  return [...parts, origin, status, rule, expected].join('\0');
}

/** The job's own, containers included; what nobody could be named for counts as its own. */
export function isJobs(row: Row): boolean {
  return isJobsOrigin(row.origin);
}

/** What a late allow speaks of. */
function flowKey({ address, port, protocol }: Row): string {
  return `${address}\0${port}\0${protocol}`;
}

/** Rows of one kind under their keys, at most MAX_ROWS. */
class Rows {
  readonly #rows = new Map<string, Row>();
  beyond = 0;

  /** The row the attempts went to; undefined when there was no room for another. */
  add(key: string, row: Row, count: number): Row | undefined {
    const known = this.#rows.get(key);
    if (known === undefined && this.#rows.size >= MAX_ROWS) {
      this.beyond += count;
      return undefined;
    }
    const kept = known ?? row;
    if (known === undefined) this.#rows.set(key, row);
    if (row.lastSeen > kept.lastSeen) kept.lastSeen = row.lastSeen;
    kept.count += count;
    return kept;
  }

  values(): readonly Row[] {
    return [...this.#rows.values()];
  }
}

/** Rows of one address each -> rows of one destination each. */
function united(rows: readonly Row[]): readonly Row[] {
  const groups = new Rows();
  for (const row of rows) {
    if (row.count > 0) groups.add(keyOf(row), { ...row, count: 0 }, row.count);
  }
  return groups.values();
}

/** Groups records one by one; memory grows with destinations, to a limit, not with records. */
export class ReportBuilder {
  readonly #groups = {
    blocked: new Rows(),
    dns: new Rows(),
    allowed: new Rows(),
    existing: new Rows(),
  };
  /** Rows of blocks by flow: a late allow takes them back. */
  readonly #blocks = new Map<string, Set<Row>>();
  readonly #lateUntil = new Map<string, string>();
  readonly #incidents: Incident[] = [];
  readonly #traffic = new TrafficSums();
  #started: SessionStarted | undefined;
  #ended: SessionEnded | undefined;
  #attempts = 0;
  #records = 0;
  #superseded = 0;

  /** Takes one record; proof traffic is never counted. */
  add(record: AuditRecord): void {
    switch (record.event_type) {
      case 'session_started':
        this.#started ??= record;
        return;
      case 'session_ended':
        this.#ended = record;
        this.#traffic.seal();
        return;
      case 'traffic':
        this.#traffic.add(record);
        return;
      case 'large_upload':
        this.#traffic.addLarge(record);
        return;
      case 'tamper':
      case 'daemon_restarted':
      case 'dns_upstream_down':
      case 'dns_unusual': {
        const { timestamp, event_type: kind, reason } = record;
        if (this.#incidents.length < MAX_INCIDENTS) {
          this.#incidents.push({ timestamp, kind, reason: reason ?? '' });
        }
        return;
      }
      default:
        if (record.reason !== 'proof') this.#addEvent(record);
    }
  }

  #addEvent(event: AuditEvent): void {
    const row = rowOf(event);
    const count = event.count ?? 1;
    this.#records++;
    this.#attempts += count;
    if (event.event_type === 'existing_connection') {
      this.#groups.existing.add(keyOf(row), row, count);
    } else if (event.event_type === 'dns_blocked') {
      this.#groups.dns.add(keyOf(row), row, count);
    } else if (event.blocked || event.would_deny) {
      this.#addBlock(row, count);
    } else {
      if (row.status === 'late allowed') this.#supersede(row);
      this.#groups.allowed.add(keyOf(row), row, count);
    }
  }

  #addBlock(row: Row, count: number): void {
    const flow = flowKey(row);
    if (row.firstSeen <= (this.#lateUntil.get(flow) ?? '')) {
      this.#superseded += count;
      return;
    }
    const kept = this.#groups.blocked.add(`${row.address}\0${keyOf(row)}`, row, count);
    if (kept === undefined) return;
    const rows = this.#blocks.get(flow);
    if (rows === undefined) this.#blocks.set(flow, new Set([kept]));
    else rows.add(kept);
  }

  /** Blocks at or before a late allow are its own; a row that goes on behind it stays whole. */
  #supersede(late: Row): void {
    const flow = flowKey(late);
    const until = this.#lateUntil.get(flow) ?? '';
    if (late.firstSeen > until) this.#lateUntil.set(flow, late.firstSeen);
    for (const row of this.#blocks.get(flow) ?? []) {
      if (row.lastSeen > late.firstSeen) continue;
      this.#superseded += row.count;
      row.count = 0;
    }
  }

  /** The report of what was added. */
  build(badLines: readonly number[]): Report {
    const { blocked, dns, allowed, existing } = this.#groups;
    const isExpected = (row: Row) => row.expected;
    const isNews = (row: Row) => !row.expected;
    const connections = united(blocked.values());
    const news = [...connections, ...dns.values(), ...existing.values()].filter(isNews);
    const refused = news.filter((row) => row.status === 'blocked' && isJobs(row));
    return {
      started: this.#started,
      ended: this.#ended,
      blocked: connections.filter(isNews),
      dns: dns.values().filter(isNews),
      expected: [...connections, ...dns.values()].filter(isExpected),
      // What no row could be kept of may have been the job's.
      unexpected: refused.reduce((sum, row) => sum + row.count, blocked.beyond + dns.beyond),
      allowed: this.#traffic.joinedTo(allowed.values()),
      bytesKnown: this.#ended?.totals['bytes_out'] !== undefined,
      largeUploads: this.#traffic.largeUploads(),
      existing: existing.values(),
      incidents: this.#incidents,
      attempts: this.#attempts,
      records: this.#records,
      superseded: this.#superseded,
      beyondRows: blocked.beyond + dns.beyond + allowed.beyond + existing.beyond,
      badLines,
    };
  }
}

/** The report of a log. */
export function aggregate(log: DecodedLog): Report {
  const builder = new ReportBuilder();
  for (const record of log.records) builder.add(record);
  return builder.build(log.badLines);
}
