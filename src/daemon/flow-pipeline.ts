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

type Refusal = readonly [FlowEvent, AuditEvent];

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
    const { logger, onRefused } = this.#options;
    const refused: Refusal[] = [];
    logger.logEvents(this.#records(bytes, resent, refused));
    for (const [event, record] of refused) onRefused(event, record);
  }

  *#records(bytes: Uint8Array, resent: boolean, refused: Refusal[]): Generator<AuditEvent> {
    const { knowledge, known, onEvent, nowMs } = this.#options;
    for (const event of decodeEvents(bytes)) {
      if (event === undefined) {
        this.#undecodable++;
        continue;
      }
      onEvent(event);
      const record = attribute(event, knowledge);
      if (resent && known.has(recordKey(record))) continue;
      if (!event.allowed) refused.push([event, record]);
      if (this.#coalescer.isFirst(event, record, nowMs())) yield record;
    }
  }

  /** Writes what repeats have gathered; to be called every few seconds and before a seal. */
  flush(): void {
    this.#options.logger.logEvents(this.#coalescer.flush(this.#options.nowMs()));
  }
}
