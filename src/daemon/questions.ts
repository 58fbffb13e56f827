// What becomes of questions besides their answers: who asked, which records they make.
import type { Identities } from '../core/audit/identities.ts';
import type { Policy } from '../core/policy/policy.ts';
import { Askers } from './askers.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { Asker, DnsBlocked, DnsClient, DnsClock } from './dns-ports.ts';
import type { KnownQuestion } from './name-judge.ts';
import { RefusedQuestions } from './refused-questions.ts';
import { StreamRoom } from './stream-room.ts';
import { UnusualQuestions } from './unusual-questions.ts';

/** What is needed to record questions. */
export interface QuestionsOptions {
  readonly policy: Policy;
  readonly logger: AuditLogger;
  readonly identities: Pick<Identities, 'of'>;
  readonly timestamp: () => string;
  readonly clock: Pick<DnsClock, 'nowMs' | 'soon'>;
  /** Asks the owner map. */
  readonly lookUp: (client: DnsClient) => Promise<Asker | undefined>;
  /** 32 random bits. */
  readonly seed: number;
}

/** The questions of a session, for the proxy's callbacks. */
export class Questions {
  readonly #askers: Askers;
  readonly #refused: RefusedQuestions;
  readonly #unusual: UnusualQuestions;
  /** Whose connections over TCP there is room for. */
  readonly streams: StreamRoom;

  constructor(options: QuestionsOptions) {
    const { policy, logger, identities, timestamp, clock, seed } = options;
    this.#askers = new Askers(options);
    this.streams = new StreamRoom(this.asker);
    const { nowMs } = clock;
    this.#refused = new RefusedQuestions({ policy, logger, identities, timestamp, nowMs });
    this.#unusual = new UnusualQuestions({ policy, logger, timestamp, asker: this.asker, seed });
  }

  readonly asker = (client: DnsClient): Promise<Asker | undefined> => this.#askers.of(client);
  readonly blocked = (blocked: DnsBlocked): void => this.#refused.note(blocked);
  readonly answered = (known: KnownQuestion, client: DnsClient): void =>
    this.#unusual.note(known, client);

  /** Distinct names below the rules that `dns_unusual` records tell of. */
  get unusualNames(): number {
    return this.#unusual.names;
  }

  /** Writes what is held as numbers; to be called every second and before a seal. */
  flush(): void {
    this.#refused.flush();
  }
}
