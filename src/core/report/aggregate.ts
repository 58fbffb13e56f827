// Records -> Report: what was seen, grouped by destination, refusals first.
import type {
  AuditEvent,
  AuditRecord,
  Origin,
  SessionEnded,
  SessionStarted,
} from '../audit/event.ts';
import type { DecodedLog } from '../audit/jsonl.ts';

/** Records of one destination by one process. */
export interface Row {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly process: string;
  readonly origin: Origin;
  readonly rule: string;
  readonly autoAllowedType: string;
  readonly reason: string;
  /** Refused, or in audit mode would have been. */
  readonly status: 'blocked' | 'would be blocked' | 'allowed' | 'late allowed';
  readonly firstSeen: string;
  readonly pid: number;
  count: number;
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
  readonly incidents: readonly Incident[];
  readonly attempts: number;
  readonly records: number;
  readonly badLines: readonly number[];
}

function statusOf(event: AuditEvent): Row['status'] {
  if (event.blocked) return 'blocked';
  if (event.would_deny) return 'would be blocked';
  return event.event_type === 'connection_late_allowed' ? 'late allowed' : 'allowed';
}

function rowOf(event: AuditEvent): Row {
  return {
    host: event.dst_hostname ?? '',
    address: event.dst_ip ?? '',
    port: event.dst_port ?? 0,
    protocol: event.event_type === 'dns_blocked' ? '' : (event.protocol ?? ''),
    process: event.process ?? '',
    origin: event.origin ?? 'unknown',
    rule: event.matched_rule ?? '',
    autoAllowedType: event.auto_allowed_type ?? '',
    reason: event.reason ?? '',
    status: statusOf(event),
    firstSeen: event.timestamp,
    pid: event.pid ?? 0,
    count: 0,
  };
}

/** Destinations with names are one whatever their address. */
function keyOf({ host, address, port, protocol, process, origin, status, rule }: Row): string {
  return [host === '' ? address : host, port, protocol, process, origin, status, rule].join('\0');
}

/** Groups records one by one; memory grows with destinations, not with records. */
export class ReportBuilder {
  readonly #groups = {
    blocked: new Map<string, Row>(),
    dns: new Map<string, Row>(),
    allowed: new Map<string, Row>(),
    existing: new Map<string, Row>(),
  };
  readonly #incidents: Incident[] = [];
  #started: SessionStarted | undefined;
  #ended: SessionEnded | undefined;
  #attempts = 0;
  #records = 0;

  /** Takes one record; proof traffic is never counted. */
  add(record: AuditRecord): void {
    switch (record.event_type) {
      case 'session_started':
        this.#started ??= record;
        return;
      case 'session_ended':
        this.#ended = record;
        return;
      case 'tamper':
      case 'daemon_restarted':
      case 'dns_upstream_down': {
        const { timestamp, event_type: kind, reason } = record;
        this.#incidents.push({ timestamp, kind, reason });
        return;
      }
      default:
        if (record.reason !== 'proof') this.#addEvent(record);
    }
  }

  #addEvent(event: AuditEvent): void {
    const row = rowOf(event);
    const group = this.#groupOf(event);
    const key = keyOf(row);
    const known = group.get(key) ?? row;
    known.count += event.count ?? 1;
    group.set(key, known);
    this.#records++;
    this.#attempts += event.count ?? 1;
  }

  #groupOf(event: AuditEvent): Map<string, Row> {
    if (event.event_type === 'existing_connection') return this.#groups.existing;
    if (event.event_type === 'dns_blocked') return this.#groups.dns;
    return event.blocked || event.would_deny ? this.#groups.blocked : this.#groups.allowed;
  }

  /** The report of what was added. */
  build(badLines: readonly number[]): Report {
    const { blocked, dns, allowed, existing } = this.#groups;
    return {
      started: this.#started,
      ended: this.#ended,
      blocked: [...blocked.values()],
      dns: [...dns.values()],
      allowed: [...allowed.values()],
      existing: [...existing.values()],
      incidents: this.#incidents,
      attempts: this.#attempts,
      records: this.#records,
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
