// What is known about names and answers in this session: the policy's opinion, what was learned,
// and what an answer opens. The one place that writes it down.
import {
  decideQuery,
  type GateQuestion,
  type GateSettings,
  type QueryDecision,
} from '../core/dns/decide-query.ts';
import { type GrantTimes, type JudgedAnswer, judgeAnswer } from '../core/dns/judge-answer.ts';
import { LearnedNames } from '../core/dns/learned.ts';
import type { Question, Response } from '../core/dns/message.ts';
import { type Opinion, opinionOf } from '../core/dns/opinion.ts';
import type { Resolutions } from '../core/dns/resolutions.ts';
import { RunnerAccounts } from '../core/dns/runner-accounts.ts';
import type { Address } from '../core/net/address.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { DnsClock, DnsGranted } from './dns-ports.ts';
import type { GrantKeeper } from './grant-keeper.ts';

/** What the judge works with. */
export interface NameJudgeOptions {
  readonly policy: Policy;
  readonly gate: GateSettings;
  readonly times: GrantTimes;
  readonly own: (address: Address) => boolean;
  readonly clock: DnsClock;
  readonly keeper: GrantKeeper;
  readonly resolutions: Resolutions;
  /** Hears which addresses were named; undefined when nobody has to wait for that. */
  readonly onNamed: (addresses: readonly Address[]) => Promise<void> | undefined;
  readonly onGranted: (granted: DnsGranted) => void;
}

/** A question with all that is known about its name. */
export interface KnownQuestion extends GateQuestion {
  readonly decision: QueryDecision;
  /** Everybody but a runner process would be refused. */
  readonly runnerOnly: boolean;
}

/** An answer with records to give, not a failure. */
export type WholeAnswer = Extract<JudgedAnswer, { readonly kind: 'answer' }>;

/** Judges names and answers. */
export class NameJudge {
  readonly accounts = new RunnerAccounts();
  readonly learned = new LearnedNames();
  readonly #options: NameJudgeOptions;

  constructor(options: NameJudgeOptions) {
    this.#options = options;
  }

  /** Looks a question up and puts it through the gate. */
  know(question: Question, isRunner: boolean): KnownQuestion {
    const { gate, clock } = this.#options;
    const opinion = this.#opinionFor(question.name, isRunner);
    const learned = this.learned.segmentsOf(question.name, opinion.denied, clock.nowMs());
    const asked = { question, isRunner, opinion, learned };
    const decision = decideQuery(asked, gate);
    const forOthers = isRunner ? decideQuery({ ...asked, isRunner: false }, gate) : decision;
    const runnerOnly = forOthers.kind !== 'answer';
    return { question, isRunner, opinion, learned, decision, runnerOnly };
  }

  #opinionFor(name: string, isRunner: boolean): Opinion {
    const opinion = opinionOf(this.#options.policy, name);
    if (opinion.allow.some((item) => item.kind === 'runner')) return opinion;
    const further = this.accounts.segmentsOf(name, isRunner);
    return further.length === 0 ? opinion : { ...opinion, allow: [...opinion.allow, ...further] };
  }

  /** Judges a response to a question that the gate answers. */
  judge(known: KnownQuestion, response: Response, age: number): JudgedAnswer {
    const { policy, gate, times, own, clock } = this.#options;
    const { decision, opinion } = known;
    const searchDomainOnly = decision.kind === 'answer' && decision.because === 'search-domain';
    return judgeAnswer(
      {
        name: known.question.name,
        type: known.question.type,
        allow: [...opinion.allow, ...known.learned],
        deny: opinion.deny,
        searchDomainOnly,
        defaultAllow: gate.defaultAllow,
        nowMs: clock.nowMs(),
        age,
        times,
        own,
        opinion: (name) => opinionOf(policy, name),
      },
      response,
    );
  }

  /** Grants and learns what an answer says; resolves when the kernel has it, else throws (I2). */
  async admit(known: KnownQuestion, judged: WholeAnswer): Promise<void> {
    const { keeper, clock, onGranted } = this.#options;
    const { name } = known.question;
    const nowMs = clock.nowMs();
    const { grants, expiresAtMs } = judged;
    const opens = grants.length > 0 && (await keeper.open({ name, grants, expiresAtMs, nowMs }));
    for (const lesson of judged.learned) this.learned.learn(lesson);
    this.noteAnswer(known, judged.addresses);
    const heard = this.#options.onNamed(judged.addresses);
    if (heard !== undefined) await heard;
    // What is merely extended was open already: nobody was refused for want of it.
    const granted = opens ? grants.filter((item) => item.grants.length > 0) : [];
    if (granted.length > 0) {
      onGranted({ name, addresses: granted.map((item) => item.address), atMs: nowMs });
    }
  }

  /** Remembers which addresses an answer named, for records. */
  noteAnswer(known: KnownQuestion, addresses: readonly Address[]): void {
    const { clock, resolutions } = this.#options;
    const { name } = known.question;
    const runnerOnly = known.decision.kind === 'answer' && known.runnerOnly;
    resolutions.note({ name, addresses, atMs: clock.nowMs(), runnerOnly });
  }

  /** Drops what has expired. */
  sweep(): void {
    this.learned.sweep(this.#options.clock.nowMs());
  }
}
