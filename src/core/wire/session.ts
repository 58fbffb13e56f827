// What main hands over at a start: one JSON line on the loader's stdin, kept root-owned in the run
// directory, read by the daemon. Times are fields so that tests of expiry can start with their own.
import type { Policy } from '../policy/policy.ts';

/** What is enforced once main is green. */
export type SessionMode = 'audit' | 'enforce';

/** Lifetimes and limits, in milliseconds; `SPEC_TIMES` is what main always writes. */
export interface SessionTimes {
  readonly grantFloorMs: number;
  readonly grantCapMs: number;
  /** An admitted flow ends after this long without a packet. */
  readonly flowIdleMs: number;
  readonly lateAllowMs: number;
  readonly preresolveMs: number;
}

/** The specification's times. */
export const SPEC_TIMES: SessionTimes = {
  grantFloorMs: 300_000,
  grantCapMs: 24 * 60 * 60 * 1000,
  flowIdleMs: 300_000,
  lateAllowMs: 300_000,
  preresolveMs: 3000,
};

/** An upstream resolver. */
export interface UpstreamServer {
  readonly address: string;
  readonly port: number;
}

/** A name answered locally, in lower case. */
export interface LocalName {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** The job a session guards; shown in record and summary, decides nothing. */
export interface JobFacts {
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly runId: string;
  readonly runAttempt: string;
}

/** Everything the daemon needs to know. */
export interface SessionSettings {
  readonly version: 1;
  readonly mode: SessionMode;
  readonly policy: Policy;
  readonly upstreams: readonly UpstreamServer[];
  /** Addresses found in any resolver configuration: their port 53 is steered wherever they lie. */
  readonly resolvers: readonly string[];
  /** `/etc/hosts`, the host's own name and `_gateway`. */
  readonly localNames: readonly LocalName[];
  readonly times: SessionTimes;
  /** 32 hex digits, new for every start; the proof's names are made of it. */
  readonly nonce: string;
  readonly job: JobFacts;
  readonly configFile?: { readonly path: string; readonly sha256: string };
  /** Where blocks are told; may hold a secret, so no record and no log has it. */
  readonly notifyUrl?: string;
  /** Flows open before the start go on where no rule decides (spec 7). */
  readonly allowExisting: boolean;
  readonly debug: boolean;
}
