// Questions the job has answered -> what is unusual about the names below an allowed one -> the record.
// Tells and changes nothing: no verdict asks it.
import { MAX_NAME } from '../core/audit/caps.ts';
import type { DnsUnusual } from '../core/audit/event.ts';
import { NamesBelow, type UnusualNames } from '../core/dns/unusual-names.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { Asker, DnsClient } from './dns-ports.ts';
import type { KnownQuestion } from './name-judge.ts';

/** What the detector is made of. */
export interface UnusualQuestionsOptions {
  readonly policy: Policy;
  readonly logger: Pick<AuditLogger, 'logEvent'>;
  readonly timestamp: () => string;
  readonly asker: (client: DnsClient) => Promise<Asker | undefined>;
  /** 32 random bits. */
  readonly seed: number;
}

function reasonOf({ rule, names, bytes, longestLabel, example }: UnusualNames): string {
  const target = rule.target.kind === 'name' ? `=${rule.target.name}` : 'names';
  const data = bytes === 0 ? '' : ` and may have carried ${bytes} bytes`;
  return (
    `${names} names that ${rule.text} allows were asked for, as a tunnel would: their labels have ` +
    `up to ${longestLabel} characters${data}; if nobody needs them, allow ${target} alone; ` +
    `the last one was ${example.slice(0, MAX_NAME)}`
  );
}

/** The record of unusual names; `asker` asked for the last of them. */
export function dnsUnusual(
  found: UnusualNames,
  asker: Asker | undefined,
  timestamp: string,
): DnsUnusual {
  const { rule, names, bytes, longestLabel, example } = found;
  return {
    timestamp,
    event_type: 'dns_unusual',
    ...(asker === undefined ? {} : { process: asker.comm, pid: asker.pid }),
    matched_rule: rule.text,
    would_deny: false,
    blocked: false,
    reason: reasonOf(found),
    names,
    bytes,
    longest_label: longestLabel,
    example: example.slice(0, MAX_NAME),
  };
}

/** Watches the names of a session. */
export class UnusualQuestions {
  readonly #options: UnusualQuestionsOptions;
  readonly #below: NamesBelow;

  constructor(options: UnusualQuestionsOptions) {
    this.#options = options;
    this.#below = new NamesBelow(options.policy, options.seed);
  }

  /** Distinct names below the rules that were told of. */
  get names(): number {
    return this.#below.told;
  }

  /** Takes a question that the gate answers; only the job's own, by a rule of the user's, are looked at. */
  note({ question, isRunner, opinion }: KnownQuestion, client: DnsClient): void {
    if (isRunner) return;
    const allowed = opinion.allow.find(({ kind }) => kind === 'user');
    if (allowed === undefined) return;
    const found = this.#below.note(question.name, allowed.rule);
    if (found !== undefined) void this.#tell(found, client);
  }

  async #tell(found: UnusualNames, client: DnsClient): Promise<void> {
    const { logger, timestamp, asker } = this.#options;
    const now = timestamp();
    logger.logEvent(dnsUnusual(found, await asker(client), now));
  }
}
