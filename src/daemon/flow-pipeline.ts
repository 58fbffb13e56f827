// Events to the log: decode -> leave out what is there -> attribute -> fold repeats -> append.
import { attribute, type Knowledge } from '../core/audit/attribute.ts';
import { Coalescer } from '../core/audit/coalesce.ts';
import type { AuditEvent } from '../core/audit/event.ts';
import { decodeEvents } from '../core/flow/decode.ts';
import type { FlowEvent } from '../core/flow/flow-event.ts';
import type { AuditLogger } from './audit-logger.ts';

/** What the pipeline is made of. */
export interface FlowPipelineOptions {
  readonly logger: AuditLogger;
  readonly knowledge: Knowledge;
  /** Records found in the log at a restart: `recordKey` of each. */
  readonly known: ReadonlySet<string>;
  readonly onEvent: (event: FlowEvent) => void;
  /** Every refusal, repeats too; what the log had before a restart is left out. */
  readonly onRefused: (event: FlowEvent, record: AuditEvent) => void;
  readonly nowMs: () => number;
}

/** The same for the same record of the same event. */
export function recordKey(record: Pick<AuditEvent, 'timestamp' | 'pid' | 'dst_ip'>): string {
  return `${record.timestamp} ${record.pid ?? 0} ${record.dst_ip ?? ''}`;
}

/** Kernel events on their way to the log; counts what it loses. */
export class FlowPipeline {
  readonly #options: FlowPipelineOptions;
  readonly #coalescer = new Coalescer();
  #undecodable = 0;

  constructor(options: FlowPipelineOptions) {
    this.#options = options;
  }

  /** Events no record could be made of. */
  get undecodable(): number {
    return this.#undecodable;
  }

  /** Takes a batch as the loader sends it; when it returns, the records are in the log or lost. */
  processBlockedEvents(bytes: Uint8Array, resent: boolean): void {
    const { logger, knowledge, known, onEvent, onRefused, nowMs } = this.#options;
    const { events, undecodable } = decodeEvents(bytes);
    this.#undecodable += undecodable;
    const records: AuditEvent[] = [];
    const refused: [FlowEvent, AuditEvent][] = [];
    for (const event of events) {
      onEvent(event);
      const record = attribute(event, knowledge);
      if (resent && known.has(recordKey(record))) continue;
      if (!event.allowed) refused.push([event, record]);
      if (this.#coalescer.isFirst(event, record, nowMs())) records.push(record);
    }
    logger.logEvents(records);
    for (const [event, record] of refused) onRefused(event, record);
  }

  /** Writes what repeats have gathered; to be called every few seconds and before a seal. */
  flush(): void {
    this.#options.logger.logEvents(this.#coalescer.flush(this.#options.nowMs()));
  }
}
