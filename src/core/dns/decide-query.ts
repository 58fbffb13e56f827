// The gate (spec 7): what becomes of one question, first that applies. Pure.
import type { Address } from '../net/address.ts';
import { CLASS_IN, TYPE, TYPES_OF_ALLOWED_NAMES, TYPES_OF_EVERY_NAME } from './codes.ts';
import type { Question } from './message.ts';
import { isBelow } from './name.ts';
import type { Opinion } from './opinion.ts';
import { parseReverseName } from './reverse-name.ts';
import type { Segment } from './segment.ts';

/** Why a question is refused; the text of the record's `reason`. */
export type RefusalReason = 'class' | 'type' | 'proof' | 'denied by a rule' | 'not allowed';

/** Why a question is answered. */
export type AnswerReason = 'runner' | 'rule' | 'learned' | 'search-domain' | 'default';

/** What becomes of a question. */
export type QueryDecision =
  | { readonly kind: 'local'; readonly addresses: readonly Address[] }
  | { readonly kind: 'canary' }
  | { readonly kind: 'reverse'; readonly address: Address }
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'refuse'; readonly reason: RefusalReason; readonly rule: number }
  | { readonly kind: 'answer'; readonly because: AnswerReason };

/** What the gate knows of the session, the same for every question. */
export interface GateSettings {
  readonly defaultAllow: boolean;
  /** Suffixes without a leading dot. */
  readonly searchDomains: readonly string[];
  /** Names answered locally, in lower case, with their addresses. */
  readonly localNames: ReadonlyMap<string, readonly Address[]>;
  /** This start's nonce; the proof's two names are made of it. */
  readonly nonce: string;
}

/** What the gate knows of one question. */
export interface GateQuestion {
  readonly question: Question;
  readonly isRunner: boolean;
  readonly opinion: Opinion;
  readonly learned: readonly Segment[];
}

const LOCALHOST_V4 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1);
const LOCALHOST_V6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SYNTHETIC_SUFFIX = 'cluster.local';

/** The name that the proof resolves through a real grant (spec 10). */
export function canaryName(nonce: string): string {
  return `${nonce}.cargowall.internal`.toLowerCase();
}

/** What the proof's own names get; all of them begin with the nonce. */
function decideProof(name: string, nonce: string): QueryDecision | undefined {
  if (!name.startsWith(nonce.toLowerCase())) return undefined;
  if (name === canaryName(nonce)) return { kind: 'canary' };
  return name === `${nonce}.invalid`.toLowerCase() ? refuse('proof') : undefined;
}

/** The addresses of a name that is answered without asking anybody, whatever the policy says. */
export function localAddresses(
  name: string,
  localNames: GateSettings['localNames'],
): readonly Address[] | undefined {
  if (name === 'localhost' || isBelow(name, 'localhost')) return [LOCALHOST_V4, LOCALHOST_V6];
  return localNames.get(name);
}

function usableSegments(segments: readonly Segment[], isRunner: boolean): boolean {
  return segments.some((item) => item.kind !== 'runner' || isRunner);
}

function refuse(reason: RefusalReason, rule = 0): QueryDecision {
  return { kind: 'refuse', reason, rule };
}

/** The part of the gate that looks at the policy: the name itself, whatever its type. */
function decideByPolicy(asked: GateQuestion, gate: GateSettings): QueryDecision {
  const { opinion, isRunner, learned } = asked;
  const { name } = asked.question;
  const isSynthetic = isBelow(name, SYNTHETIC_SUFFIX);
  if (isRunner && opinion.allow.some((item) => item.kind === 'runner')) {
    return { kind: 'answer', because: 'runner' };
  }
  if (opinion.deniesAll) {
    return isSynthetic ? { kind: 'nxdomain' } : refuse('denied by a rule', opinion.deny[0]?.rule);
  }
  if (usableSegments(opinion.allow, isRunner)) return { kind: 'answer', because: 'rule' };
  if (usableSegments(learned, isRunner)) return { kind: 'answer', because: 'learned' };
  if (gate.defaultAllow) return { kind: 'answer', because: 'default' };
  if (gate.searchDomains.some((suffix) => isBelow(name, suffix))) {
    return { kind: 'answer', because: 'search-domain' };
  }
  return isSynthetic ? { kind: 'nxdomain' } : refuse('not allowed');
}

function limitTypes(type: number, decision: QueryDecision): QueryDecision {
  if (decision.kind !== 'answer' || TYPES_OF_EVERY_NAME.has(type)) return decision;
  const byRule = decision.because === 'rule' || decision.because === 'runner';
  return byRule && TYPES_OF_ALLOWED_NAMES.has(type) ? decision : refuse('type');
}

function isAnsweredType(type: number): boolean {
  return TYPES_OF_EVERY_NAME.has(type) || TYPES_OF_ALLOWED_NAMES.has(type) || type === TYPE.PTR;
}

/** Decides a well-formed question of opcode QUERY. */
export function decideQuery(asked: GateQuestion, gate: GateSettings): QueryDecision {
  const { name, type } = asked.question;
  if (asked.question.class !== CLASS_IN) return refuse('class');
  const proof = decideProof(name, gate.nonce);
  if (proof !== undefined) return proof;
  const addresses = localAddresses(name, gate.localNames);
  if (addresses !== undefined) return { kind: 'local', addresses };
  if (!isAnsweredType(type)) return refuse('type');
  if (type === TYPE.PTR) {
    const address = parseReverseName(name);
    return address === undefined ? refuse('type') : { kind: 'reverse', address };
  }
  return limitTypes(type, decideByPolicy(asked, gate));
}
