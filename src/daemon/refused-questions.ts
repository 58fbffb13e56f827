// Refused questions to the log: record -> fold -> append.

import type { Identities } from '../core/audit/identities.ts';
import { RefusedNames } from '../core/audit/refused-names.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsBlocked } from './dns-ports.ts';
import { dnsBlockedRecord } from './dns-record.ts';

/** What the recorder of refused questions is made of. */
export interface RefusedQuestionsOptions {
  readonly policy: Policy;
  readonly logger: Pick<AuditLogger, 'logEvents'>;
  readonly identities: Pick<Identities, 'of'>;
  /** The present as records spell it. */
  readonly timestamp: () => string;
  readonly nowMs: () => number;
}

/** The recorder of a session's refused questions. */
export class RefusedQuestions {
  readonly #options: RefusedQuestionsOptions;
  readonly #names = new RefusedNames();

  constructor(options: RefusedQuestionsOptions) {
    this.#options = options;
  }

  /** Takes one refused question. */
  note(blocked: DnsBlocked): void {
    const { policy, logger, identities, timestamp, nowMs } = this.#options;
    const identity = blocked.asker && identities.of(blocked.asker);
    const record = dnsBlockedRecord(blocked, identity, { policy, timestamp: timestamp() });
    logger.logEvents(this.#names.note(record, nowMs()));
  }

  /** Writes what is held as numbers; to be called every second and before a seal. */
  flush(): void {
    this.#options.logger.logEvents(this.#names.take());
  }
}
