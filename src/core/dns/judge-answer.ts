// What an upstream's answer means (spec 5 and 7): which records go to the client, which addresses
// are granted or denied for which pairs and how long, and which names it teaches. Pure.
import type { Address } from '../net/address.ts';
import { CLASS_IN, RCODE, TYPE } from './codes.ts';
import { isGuarded, isPrivate, isRemoved } from './guard.ts';
import type { LearnedName } from './learned.ts';
import type { Response } from './message.ts';
import type { Opinion } from './opinion.ts';
import type { ResourceRecord } from './record.ts';
import { type Segment, withoutPairs } from './segment.ts';

const MAX_HOPS = 16;

/** Lifetimes of grants, denials and learned names (spec 5: 300 s and 24 h), in milliseconds. */
export interface GrantTimes {
  readonly grantFloorMs: number;
  readonly grantCapMs: number;
}

/** What is known about the question when its answer comes. */
export interface AnswerQuestion {
  readonly name: string;
  readonly type: number;
  /** The question's segments: its own rules' and its learned ones. */
  readonly allow: readonly Segment[];
  readonly deny: readonly Segment[];
  /** Answered only because it is below a search domain. */
  readonly searchDomainOnly: boolean;
  /** Under default allow denied pairs become denials. */
  readonly defaultAllow: boolean;
  readonly nowMs: number;
  /** Seconds the response was held in the cache. */
  readonly age: number;
  readonly times: GrantTimes;
  readonly own: (address: Address) => boolean;
  /** What the policy says about a name on the chain. */
  readonly opinion: (name: string) => Opinion;
}

/** Pairs to open, or under default allow to deny, on one address. */
export interface AddressGrant {
  readonly address: Address;
  readonly grants: readonly Segment[];
  readonly denials: readonly Segment[];
}

/** A judged answer; `emptied` says why its addresses were all taken out. */
export type JudgedAnswer =
  | { readonly kind: 'servfail'; readonly why: 'loop' | 'too many hops' }
  | {
      readonly kind: 'answer';
      readonly rcode: number;
      readonly records: readonly ResourceRecord[];
      /** The question's name first, then every hop. */
      readonly chain: readonly string[];
      readonly addresses: readonly Address[];
      readonly grants: readonly AddressGrant[];
      readonly learned: readonly LearnedName[];
      readonly expiresAtMs: number;
      readonly emptied:
        | 'guarded addresses only'
        | 'public addresses below a search domain'
        | undefined;
    };

interface Chain {
  readonly names: readonly string[];
  readonly aliases: readonly ResourceRecord[];
}

/** The aliases from the question on; the first of an owner counts. */
function followChain(
  question: AnswerQuestion,
  answers: readonly ResourceRecord[],
): Chain | 'loop' | 'too many hops' {
  const aliasOf = (name: string) =>
    answers.find(
      (record) => record.name === name && record.class === CLASS_IN && record.data.kind === 'alias',
    );
  const names = [question.name];
  const aliases: ResourceRecord[] = [];
  let alias = aliasOf(question.name);
  while (alias !== undefined && alias.data.kind === 'alias') {
    if (names.includes(alias.data.target)) return 'loop';
    if (aliases.length === MAX_HOPS) return 'too many hops';
    aliases.push(alias);
    names.push(alias.data.target);
    if (question.type === TYPE.CNAME) break;
    alias = aliasOf(alias.data.target);
  }
  return { names, aliases };
}

function finalRecords(
  question: AnswerQuestion,
  chain: Chain,
  answers: readonly ResourceRecord[],
): readonly ResourceRecord[] {
  if (question.type === TYPE.CNAME) return [];
  const owner = chain.names.at(-1);
  return answers.filter(
    (record) =>
      record.class === CLASS_IN &&
      record.type === question.type &&
      record.name === owner &&
      record.data.kind !== 'other',
  );
}

/** The smallest TTL of the records used, within floor and cap. */
function expiry(question: AnswerQuestion, used: readonly ResourceRecord[]): number {
  const { grantFloorMs, grantCapMs } = question.times;
  const seconds = used.reduce(
    (least, record) => Math.min(least, record.ttl),
    Number.POSITIVE_INFINITY,
  );
  const lifetime = Math.max(0, seconds - question.age) * 1000;
  return question.nowMs + Math.min(grantCapMs, Math.max(grantFloorMs, lifetime));
}

/** Why an address may not stand in the answer at all. */
function isKept(question: AnswerQuestion, address: Address): boolean {
  if (isRemoved(address, question.own)) return false;
  return !question.searchDomainOnly || isPrivate(address);
}

function guardedSegments(
  question: AnswerQuestion,
  address: Address,
  segments: readonly Segment[],
): readonly Segment[] {
  if (!isGuarded(address, question.own)) return segments;
  return isPrivate(address) ? segments.filter((item) => item.private) : [];
}

interface Path {
  readonly allow: readonly Segment[];
  readonly deny: readonly Segment[];
  readonly learned: readonly LearnedName[];
}

/** Walks the hops: each one's own denials take pairs away, each one is learned with what is left. */
function walkHops(question: AnswerQuestion, chain: Chain, expiresAtMs: number): Path {
  let allow = question.allow;
  const deny = [...question.deny];
  const learned: LearnedName[] = [];
  for (const hop of chain.names.slice(1)) {
    const opinion = question.opinion(hop);
    deny.push(...opinion.deny);
    allow = withoutPairs(allow, opinion.denied);
    if (allow.length > 0)
      learned.push({ name: hop, origin: question.name, segments: allow, expiresAtMs });
  }
  return { allow, deny, learned };
}

function grantsFor(
  question: AnswerQuestion,
  path: Path,
  addresses: readonly Address[],
): readonly AddressGrant[] {
  const all = addresses.map((address) => ({
    address,
    grants: guardedSegments(question, address, path.allow),
    denials: question.defaultAllow ? guardedSegments(question, address, path.deny) : [],
  }));
  return all.filter((item) => item.grants.length + item.denials.length > 0);
}

/** Judges a whole, untruncated response; only NOERROR has records we use. */
export function judgeAnswer(question: AnswerQuestion, response: Response): JudgedAnswer {
  const usable = response.rcode === RCODE.NOERROR ? response.answers : [];
  const chain = followChain(question, usable);
  if (chain === 'loop' || chain === 'too many hops') return { kind: 'servfail', why: chain };
  const finals = finalRecords(question, chain, usable);
  const kept = finals.filter(
    ({ data }) => data.kind !== 'address' || isKept(question, data.address),
  );
  const addresses = kept.flatMap(({ data }) => (data.kind === 'address' ? [data.address] : []));
  const isEmptied = finals.length > 0 && kept.length === 0;
  const expiresAtMs = expiry(question, [...chain.aliases, ...kept]);
  const path = walkHops(question, chain, expiresAtMs);
  return {
    kind: 'answer',
    rcode: response.rcode,
    records: isEmptied ? [] : [...chain.aliases, ...kept],
    chain: chain.names,
    addresses,
    grants: grantsFor(question, path, addresses),
    learned: path.learned,
    expiresAtMs,
    emptied: isEmptied ? emptiedReason(question, finals) : undefined,
  };
}

function emptiedReason(question: AnswerQuestion, finals: readonly ResourceRecord[]) {
  const outside = finals.some(
    ({ data }) => data.kind === 'address' && !isRemoved(data.address, question.own),
  );
  return outside ? 'public addresses below a search domain' : 'guarded addresses only';
}
