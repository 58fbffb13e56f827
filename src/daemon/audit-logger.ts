// The writer of the audit log, with the contract's names. A record that can't be written is
// counted; nothing waits for it (the verdicts are the kernel's, so losing a record opens nothing).
import type { AuditEvent, AuditRecord } from '../core/audit/event.ts';
import { encodeRecord } from '../core/audit/jsonl.ts';
import type { AuditSink } from './ports.ts';

/** The fields the contract's loggers take; empty text and 0 mean unknown. */
export interface LoggedFlow {
  readonly timestamp: string;
  readonly srcIp?: string;
  readonly dstIp?: string;
  readonly hostname?: string;
  readonly dstPort?: number;
  readonly process?: string;
  readonly pid?: number;
  readonly protocol?: string;
  readonly matchedRule?: string;
  readonly autoAllowedType?: string;
  /** Our own fields, behind the contract's. */
  readonly more?: Partial<AuditEvent>;
}

function kindOf(record: AuditRecord): string {
  return 'reason' in record && record.reason === 'proof' ? 'proof' : record.event_type;
}

/** Questions behind a record; of everything else the kernel counts the attempts. */
function weightOf(record: AuditRecord): number {
  return record.event_type === 'dns_blocked' ? (record.count ?? 1) : 1;
}

/** Writes records and counts them by kind, refused questions by their number. */
export class AuditLogger {
  readonly #sink: AuditSink;
  readonly #totals = new Map<string, number>();
  #auditMode: boolean;
  #lost = 0;
  #closed = false;

  constructor(sink: AuditSink, auditMode: boolean) {
    this.#sink = sink;
    this.#auditMode = auditMode;
  }

  /** Whether refusals are only recorded. */
  isAuditMode(): boolean {
    return this.#auditMode;
  }

  /** Changes the flags of later records only. */
  setAuditMode(auditMode: boolean): void {
    this.#auditMode = auditMode;
  }

  /** Records that could not be written, those of refused questions by their number. */
  get lost(): number {
    return this.#lost;
  }

  /** Records by kind, refused questions by their number, proof traffic apart. */
  totals(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#totals);
  }

  /** Counts a record that is in the log already. */
  count(record: AuditRecord): void {
    this.#add(kindOf(record), weightOf(record));
  }

  #add(kind: string, count: number): void {
    this.#totals.set(kind, (this.#totals.get(kind) ?? 0) + count);
  }

  /** Writes records, all in one piece; each is asked for when the one before is encoded. */
  logEvents(records: Iterable<AuditRecord>): void {
    const kinds = new Map<string, number>();
    let lines = '';
    for (const record of records) {
      lines += encodeRecord(record);
      const kind = kindOf(record);
      kinds.set(kind, (kinds.get(kind) ?? 0) + weightOf(record));
    }
    if (lines === '') return;
    try {
      if (this.#closed) throw new Error('the log is closed');
      this.#sink.append(lines);
      for (const [kind, count] of kinds) this.#add(kind, count);
    } catch {
      for (const count of kinds.values()) this.#lost += count;
    }
  }

  logEvent(record: AuditRecord): void {
    this.logEvents([record]);
  }

  logConnectionAllowed(flow: LoggedFlow): void {
    this.#log('connection_allowed', flow, false);
  }

  logConnectionBlocked(flow: LoggedFlow): void {
    this.#log('connection_blocked', flow, true);
  }

  logConnectionLateAllowed(flow: LoggedFlow): void {
    this.#log('connection_late_allowed', flow, false);
  }

  logProtocolBlocked(flow: LoggedFlow): void {
    this.#log('protocol_blocked', flow, true);
  }

  logDnsBlocked(flow: LoggedFlow): void {
    this.#log('dns_blocked', flow, true);
  }

  /** `allowed`: the policy lets this flow go on. */
  logExistingConnection(flow: LoggedFlow, allowed: boolean): void {
    this.#log('existing_connection', flow, !allowed);
  }

  #log(event_type: AuditEvent['event_type'], flow: LoggedFlow, refused: boolean): void {
    this.logEvent({
      timestamp: flow.timestamp,
      event_type,
      src_ip: flow.srcIp ?? '',
      dst_ip: flow.dstIp ?? '',
      dst_hostname: flow.hostname ?? '',
      dst_port: flow.dstPort ?? 0,
      protocol: flow.protocol ?? '',
      process: flow.process ?? '',
      pid: flow.pid ?? 0,
      matched_rule: flow.matchedRule ?? '',
      auto_allowed_type: flow.autoAllowedType ?? '',
      ...flow.more,
      would_deny: refused && this.#auditMode,
      blocked: refused && !this.#auditMode,
    });
  }

  /** Nothing more is written; later records are counted as lost. */
  close(): void {
    this.#closed = true;
  }
}
