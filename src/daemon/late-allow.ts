// Late allow (spec 7): an attempt that was refused before the answer came which would have opened
// it gets a second record. The block stays in the log; the kernel alone opens anything.
import type { AuditEvent } from '../core/audit/event.ts';
import { type BlockedAttempt, RecentBlocks } from '../core/audit/recent-blocks.ts';
import type { Table } from '../core/dns/address-grants.ts';
import type { Grants } from '../core/dns/grants.ts';
import type { FlowEvent } from '../core/flow/flow-event.ts';
import { DECIDED_BY } from '../core/flow/layout.gen.ts';
import type { Address } from '../core/net/address.ts';
import { protocolOf } from '../core/net/protocol.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsClock } from './dns-ports.ts';
import { ForwardRounds } from './forward-rounds.ts';
import { literalNames } from './install-policy.ts';

/** What late allows are made of. */
export interface LateAllowOptions {
  readonly policy: Policy;
  /** How long an attempt is remembered. */
  readonly keepMs: number;
  readonly logger: Pick<AuditLogger, 'logEvent'>;
  readonly grants: Pick<Grants, 'live' | 'grantedNames'>;
  /** Asks for a name afresh, A and AAAA. */
  readonly lookAgain: (name: string) => Promise<void>;
  readonly clock: Pick<DnsClock, 'nowMs' | 'after'>;
}

const FOR_ALL: readonly Table[] = ['user', 'auto'];
const FOR_RUNNER: readonly Table[] = ['runner', ...FOR_ALL];

/** Recent blocks and what makes them late allows. */
export class LateAllow {
  readonly #options: LateAllowOptions;
  readonly #blocks: RecentBlocks;
  readonly #rounds: ForwardRounds;

  constructor(options: LateAllowOptions) {
    const { policy, keepMs, grants, lookAgain, clock } = options;
    this.#options = options;
    this.#blocks = new RecentBlocks(keepMs);
    const names = () => [...literalNames(policy), ...grants.grantedNames()];
    this.#rounds = new ForwardRounds({ names, look: lookAgain, clock });
  }

  /** Attempts forgotten for want of room. */
  get dropped(): number {
    return this.#blocks.dropped;
  }

  /** Names the rounds had no room for. */
  get skipped(): number {
    return this.#rounds.skipped;
  }

  /** A refusal; only what no rule decided can be opened by an answer. */
  refused(event: FlowEvent, record: AuditEvent): void {
    const protocol = protocolOf(event.protocol);
    if (event.by !== DECIDED_BY.DEFAULT || event.dst === undefined || protocol === undefined)
      return;
    const attempt = { address: event.dst, protocol, port: event.dstPort, record };
    // The kernel knew no grant at the time: one that lives now has come since.
    if (this.#write(attempt)) return;
    this.#blocks.note(attempt, this.#options.clock.nowMs());
    this.#rounds.start();
  }

  /** Grants the kernel has: attempts they cover are late allows. */
  granted(addresses: readonly Address[]): void {
    const nowMs = this.#options.clock.nowMs();
    for (const address of addresses) {
      this.#blocks.take(address, (attempt) => this.#write(attempt), nowMs);
    }
  }

  /** Writes the late allow of an attempt; false when no live grant covers it. */
  #write({ address, protocol, port, record }: BlockedAttempt): boolean {
    const { grants, policy, logger, clock } = this.#options;
    const tables = record.origin === 'runner' ? FOR_RUNNER : FOR_ALL;
    const live = tables
      .map((table) => grants.live(table, address, protocol, port, clock.nowMs()))
      .find((grant) => grant !== undefined);
    if (live === undefined) return false;
    const rule = policy.rules[live.rule - 1];
    const { dst_hostnames: _names, expected: _expected, count: _count, ...attempt } = record;
    logger.logEvent({
      ...attempt,
      event_type: 'connection_late_allowed',
      dst_hostname: live.name ?? '',
      matched_rule: rule?.text ?? '',
      auto_allowed_type: rule?.autoAllowedType ?? '',
      would_deny: false,
      blocked: false,
      decided_by: 'grant',
    });
    return true;
  }
}
