// What the DNS proxy is made of, and what the rest of the daemon sees of it.
import type { GateSettings } from '../core/dns/decide-query.ts';
import type { KernelGrant } from '../core/dns/grant-write.ts';
import type { Grants } from '../core/dns/grants.ts';
import type { GrantTimes } from '../core/dns/judge-answer.ts';
import type { Resolutions } from '../core/dns/resolutions.ts';
import type { Address } from '../core/net/address.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { DnsCounters } from './dns-counters.ts';
import type {
  Asker,
  DnsBlocked,
  DnsClient,
  DnsClock,
  DnsGranted,
  DnsServer,
  DnsUpstream,
  GrantSink,
} from './dns-ports.ts';
import type { KnownQuestion } from './name-judge.ts';

/** What is enforced; `noting`, before the flip, answers like audit and records nothing. */
export type DnsMode = 'noting' | 'audit' | 'enforce';

/** What the proxy is made of. */
export interface DnsProxyOptions {
  readonly policy: Policy;
  readonly gate: GateSettings;
  readonly times: GrantTimes & { readonly preresolveMs: number };
  readonly mode: () => DnsMode;
  /** Numbers of names up to here were given out by a daemon that is gone; 0 at a first start. */
  readonly lastName?: number;
  readonly servers: readonly DnsServer[];
  readonly upstream: DnsUpstream;
  readonly grantSink: GrantSink;
  readonly clock: DnsClock;
  /** Whether an address is one of this machine's. */
  readonly own: (address: Address) => boolean;
  readonly asker: (client: DnsClient) => Promise<Asker | undefined>;
  readonly onBlocked: (blocked: DnsBlocked) => void;
  /** A question the gate answers, also one that only audit mode lets out unchanged. */
  readonly onAnswered?: (known: KnownQuestion, client: DnsClient) => void;
  readonly onGranted: (granted: DnsGranted) => void;
  readonly onUpstreamDown: (down: {
    readonly servers: readonly DnsServer[];
    readonly why: string;
  }) => void;
}

/** The proxy as the rest of the daemon sees it. */
export interface DnsProxy {
  /** Answers one message; undefined is silence. Never rejects. */
  handle(query: Uint8Array, client: DnsClient): Promise<Uint8Array | undefined>;
  /** The reply to a question over UDP that was answered a moment ago; undefined: `handle` it. */
  again(query: Uint8Array, isRunner: boolean): Uint8Array | undefined;
  /** Takes over the grants of a daemon that is gone: the content of the kernel's map. */
  takeOver(given: readonly KernelGrant[]): void;
  /** Resolves names forward, A and AAAA, all at once, for at most `times.preresolveMs`. */
  preresolve(names: readonly string[]): Promise<void>;
  /** Resolves one name forward, never from the cache; failures are no errors. */
  lookAgain(name: string): Promise<void>;
  /**
   * Looks a host up and opens its addresses to the daemon itself on one TCP port; resolves when the
   * kernel has it. Throws when the host has no address that may be used.
   */
  reach(host: string, port: number): Promise<readonly Address[]>;
  /** The name of an address: its latest live grant's, else its latest answer's. */
  nameOf(address: Address): string | undefined;
  /** Drops what has expired; to be called every few seconds. */
  sweep(): void;
  /** The counters with those of grants, learned names and upstreams. */
  totals(): DnsCounters & Readonly<Record<string, number>>;
  /** The runner's further storage accounts, shown in the summary. */
  runnerAccounts(): readonly string[];
  readonly counters: DnsCounters;
  readonly grants: Grants;
  readonly resolutions: Resolutions;
}
