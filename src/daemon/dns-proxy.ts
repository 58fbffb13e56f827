// The DNS proxy (spec 7): decides, asks the upstream afresh, judges, grants, awaits the kernel, answers. Mode audit
// forwards, and records what enforce would refuse. What goes wrong is SERVFAIL or silence, never an answer.
import {
  type AnswerContent,
  answerLimit,
  encodeAnswer,
  encodeHeaderAnswer,
} from '../core/dns/answer.ts';
import type { HeldResponse } from '../core/dns/answer-cache.ts';
import { RCODE } from '../core/dns/codes.ts';
import type { QueryDecision } from '../core/dns/decide-query.ts';
import type { KernelGrant } from '../core/dns/grant-write.ts';
import { Grants } from '../core/dns/grants.ts';
import { decodeHeader, decodeQuery, type Header, type Query } from '../core/dns/message.ts';
import { Resolutions } from '../core/dns/resolutions.ts';
import { SCOPE } from '../core/flow/layout.gen.ts';
import type { Address } from '../core/net/address.ts';
import { type DnsCounters, zeroCounters } from './dns-counters.ts';
import type { Asker, DnsClient } from './dns-ports.ts';
import type { DnsProxy, DnsProxyOptions } from './dns-proxy-options.ts';
import { forwardUnchanged } from './forward-unchanged.ts';
import { GrantKeeper, KERNEL_WORD_MS } from './grant-keeper.ts';
import { canaryGrant, canaryRecords, localRecords, reverseRecord } from './local-answers.ts';
import { Lookups } from './lookups.ts';
import { type KnownQuestion, NameJudge, type WholeAnswer } from './name-judge.ts';
import { Patience } from './patience.ts';
import { preresolve, resolveAgain } from './preresolve.ts';
import { reachHost } from './reach-host.ts';
import { RepeatedReplies } from './repeated-replies.ts';
import { Upstreams } from './upstreams.ts';

const MAX_AT_WORK = 2048;
/** Room the job's questions can't take from the runner's. */
const ROOM_OF_RUNNER = 256;

type Refusal = Extract<QueryDecision, { kind: 'refuse' }>;

/** One message at work: what was asked, by whom, and where it goes. */
interface Work {
  readonly message: Uint8Array;
  readonly query: Query;
  readonly client: DnsClient;
  /** Known before anything is decided over TCP alone. */
  readonly asker: Asker | undefined;
  readonly known: KnownQuestion;
}

class SteeredDnsProxy implements DnsProxy {
  readonly counters = zeroCounters();
  readonly grants: Grants;
  readonly resolutions = new Resolutions();
  readonly #options: DnsProxyOptions;
  readonly #keeper: GrantKeeper;
  readonly #upstreams: Upstreams;
  readonly #lookups: Lookups;
  readonly #judge: NameJudge;
  readonly #repeated: RepeatedReplies;
  readonly #patience: Patience;
  #atWork = 0;

  constructor(options: DnsProxyOptions) {
    const { clock, servers, upstream, onUpstreamDown: onDown } = options;
    this.#options = options;
    this.grants = new Grants(options.lastName);
    this.#patience = new Patience(clock, KERNEL_WORD_MS);
    this.#keeper = new GrantKeeper(this.grants, options.grantSink, clock);
    this.#upstreams = new Upstreams({ servers, upstream, clock, onDown });
    this.#lookups = new Lookups(this.#upstreams, clock, this.counters);
    const { resolutions, grants } = this;
    this.#repeated = new RepeatedReplies({ sink: options.grantSink, clock, resolutions, grants });
    const onNamed = (addresses: readonly Address[]) => this.#repeated.overtake(addresses);
    this.#judge = new NameJudge({ ...options, keeper: this.#keeper, resolutions, onNamed });
  }

  again(message: Uint8Array, isRunner: boolean): Uint8Array | undefined {
    const reply = this.#repeated.get(message, isRunner);
    if (reply === undefined) return undefined;
    this.counters.queries++;
    this.counters.cacheHits++;
    this.counters.answered++;
    return reply;
  }

  async handle(message: Uint8Array, client: DnsClient): Promise<Uint8Array | undefined> {
    this.counters.queries++;
    const header = this.#header(message);
    if (header === undefined) return undefined;
    if (this.#atWork >= MAX_AT_WORK + (client.isRunner === true ? ROOM_OF_RUNNER : 0)) {
      this.counters.overloaded++;
      return encodeHeaderAnswer(header.id, header.flags, RCODE.SERVFAIL);
    }
    this.#atWork++;
    try {
      return await this.#handleOwned(message, header, client);
    } catch {
      this.counters.servfail++;
      return encodeHeaderAnswer(header.id, header.flags, RCODE.SERVFAIL);
    } finally {
      this.#atWork--;
    }
  }

  #header(message: Uint8Array): Header | undefined {
    if (message.length >= 12) {
      const header = decodeHeader(message);
      if (!header.response) return header;
    }
    this.counters.undecodable++;
    return undefined;
  }

  async #handleOwned(message: Uint8Array, header: Header, client: DnsClient) {
    const asker = client.isRunner === undefined ? await this.#options.asker(client) : undefined;
    const isRunner = client.isRunner ?? (asker && asker.scope === SCOPE.RUNNER);
    if (isRunner === undefined) {
      this.counters.unowned++;
      return undefined;
    }
    if (header.opcode !== 0) {
      this.counters.notimp++;
      return encodeHeaderAnswer(header.id, header.flags, RCODE.NOTIMP);
    }
    const query = this.#query(message);
    if (query === undefined) return encodeHeaderAnswer(header.id, header.flags, RCODE.FORMERR);
    const known = this.#judge.know(query.question, isRunner);
    const work = { message, query, client, asker, known };
    if (query.opt !== undefined && query.opt.version > 0) return answer(work, RCODE.BADVERS);
    try {
      return await this.#dispatch(work, known.decision);
    } catch {
      this.counters.servfail++;
      return answer(work, RCODE.SERVFAIL);
    }
  }

  #query(message: Uint8Array): Query | undefined {
    try {
      return decodeQuery(message);
    } catch {
      this.counters.formerr++;
      return undefined;
    }
  }

  #dispatch(work: Work, decision: QueryDecision): Promise<Uint8Array> | Uint8Array {
    if (decision.kind === 'local') {
      this.counters.local++;
      const { name, type } = work.query.question;
      return answer(work, RCODE.NOERROR, localRecords(name, type, decision.addresses));
    }
    if (decision.kind === 'canary') return this.#answerCanary(work);
    if (decision.kind === 'answer') this.#options.onAnswered?.(work.known, work.client);
    const isProof = decision.kind === 'refuse' && decision.reason === 'proof';
    if (this.#options.mode() !== 'enforce' && !isProof) return this.#forward(work, decision);
    switch (decision.kind) {
      case 'refuse':
        return this.#refuse(work, decision);
      case 'nxdomain':
        this.counters.synthetic++;
        return answer(work, RCODE.NXDOMAIN);
      case 'reverse':
        return this.#answerReverse(work, decision.address);
      case 'answer':
        return this.#answerAfresh(work);
    }
  }

  /** Records a refusal; resolves when it is known whose it was. */
  async #blocked(work: Work, reason: string, rule: number): Promise<void> {
    const mode = this.#options.mode();
    if (mode === 'noting') return;
    const { client, query } = work;
    const { name, type } = query.question;
    const asker = work.asker ?? (await this.#options.asker(client));
    const wouldDeny = mode === 'audit';
    this.#options.onBlocked({ name, type, client, asker, reason, rule, wouldDeny });
  }

  async #refuse(work: Work, refusal: Refusal): Promise<Uint8Array> {
    this.counters.refused++;
    await this.#patience.wait(this.#blocked(work, refusal.reason, refusal.rule));
    return answer(work, RCODE.REFUSED, [], { blocked: true });
  }

  #answerReverse(work: Work, address: Address): Uint8Array {
    const name = this.grants.latestName(address, this.#options.clock.nowMs());
    if (name === undefined) {
      this.counters.reverseUnknown++;
      return answer(work, RCODE.NXDOMAIN);
    }
    this.counters.reverseAnswered++;
    return answer(work, RCODE.NOERROR, [reverseRecord(work.query.question.name, name)]);
  }

  /** The proof's third name: through a real grant, like every other answer (spec 10). */
  async #answerCanary(work: Work): Promise<Uint8Array> {
    const { name, type } = work.query.question;
    const nowMs = this.#options.clock.nowMs();
    await this.#keeper.open(canaryGrant(name, nowMs, this.#options.times.grantFloorMs));
    return answer(work, RCODE.NOERROR, canaryRecords(name, type));
  }

  async #answerAfresh(work: Work): Promise<Uint8Array> {
    const { known } = work;
    const { clock } = this.#options;
    const { name, type } = known.question;
    const held = await this.#lookups.ask(name, type);
    const age = Math.floor((clock.nowMs() - held.receivedAtMs) / 1000);
    const judged = this.#judge.judge(known, held.response, age);
    if (judged.kind === 'servfail') {
      this.counters.servfail++;
      return answer(work, RCODE.SERVFAIL);
    }
    await this.#judge.admit(known, judged);
    this.counters.answered++;
    const reply = answer(work, judged.rcode, judged.records, { age });
    if (judged.emptied !== undefined) await this.#blocked(work, judged.emptied, 0);
    else this.#keep(work, reply, held, judged);
    return reply;
  }

  #keep({ message, client, query }: Work, reply: Uint8Array, ...of: [HeldResponse, WholeAnswer]) {
    if (client.isRunner === undefined) return;
    const { isRunner } = client;
    this.#repeated.keep({ message, name: query.question.name, isRunner, reply }, ...of);
  }

  async #forward(work: Work, decision: QueryDecision): Promise<Uint8Array> {
    if (decision.kind === 'refuse') await this.#blocked(work, decision.reason, decision.rule);
    const forwarded = await forwardUnchanged(work, this.#upstreams, this.#judge);
    if (forwarded.emptied !== undefined) await this.#blocked(work, forwarded.emptied, 0);
    this.counters.answered++;
    return forwarded.reply;
  }

  takeOver(given: readonly KernelGrant[]): void {
    this.#keeper.takeOver(given);
  }

  async preresolve(names: readonly string[]): Promise<void> {
    const { clock, times } = this.#options;
    await Promise.race([
      preresolve(names, this.#lookups, this.#judge),
      clock.after(times.preresolveMs),
    ]);
  }

  lookAgain(name: string): Promise<void> {
    return resolveAgain(name, this.#lookups, this.#judge);
  }

  reach(host: string, port: number): Promise<readonly Address[]> {
    const { clock, times, own } = this.#options;
    const parts = { lookups: this.#lookups, keeper: this.#keeper, times, own };
    return reachHost(host, port, { ...parts, nowMs: clock.nowMs() });
  }

  nameOf(address: Address): string | undefined {
    const nowMs = this.#options.clock.nowMs();
    return this.grants.latestName(address, nowMs) ?? this.resolutions.namesFor(address, nowMs)[0];
  }

  sweep(): void {
    this.#keeper.sweep();
    this.#judge.sweep();
    this.#repeated.sweep();
    this.resolutions.sweep(this.#options.clock.nowMs());
  }

  totals(): DnsCounters & Readonly<Record<string, number>> {
    return {
      ...this.counters,
      grantsRefused: this.#keeper.refused,
      grantsEvicted: this.grants.evicted,
      learnedForgotten: this.#judge.learned.forgotten,
      resolutionsEvicted: this.resolutions.evicted,
      upstreamFailures: this.#upstreams.failures,
      runnerAccountsRefused: this.#judge.accounts.refused,
    };
  }

  runnerAccounts(): readonly string[] {
    return this.#judge.accounts.names;
  }
}

function answer(
  work: Pick<Work, 'query' | 'client'>,
  rcode: number,
  records: AnswerContent['records'] = [],
  more: Pick<AnswerContent, 'blocked' | 'age'> = {},
): Uint8Array {
  const limit = answerLimit(work.query, work.client.proto);
  return encodeAnswer(work.query, { rcode, records, ...more }, limit);
}

/** The DNS proxy of a session. */
export function createDnsProxy(options: DnsProxyOptions): DnsProxy {
  return new SteeredDnsProxy(options);
}
