// What the DNS proxy needs of the world. The edges satisfy these structurally.
import type { Address } from '../core/net/address.ts';
import type { MapWrite } from '../core/policy/map-write.ts';

/** Transport of a DNS message. */
export type DnsProtocol = 'udp' | 'tcp';

/** Where a query came from. */
export interface DnsClient {
  /** Text. */
  readonly address: string;
  readonly port: number;
  readonly proto: DnsProtocol;
  /** Whether a runner process asks, where its socket says so (UDP); else the owner map is asked. */
  readonly isRunner?: boolean;
}

/** The process behind a client, from the owner map; numbers as in bpf/abi.h. */
export interface Asker {
  readonly pid: number;
  readonly comm: string;
  readonly uid: number;
  /** enum origin */
  readonly origin: number;
  /** enum scope */
  readonly scope: number;
  /** cgroup id, decimal */
  readonly cgroup: string;
  /** With pid and execs: IdentityKey; 0 = unknown. */
  readonly startNs: bigint;
  readonly execs: number;
}

/** A question that was refused (or in audit mode would have been), or an answer emptied. */
export interface DnsBlocked {
  readonly name: string;
  readonly type: number;
  readonly client: DnsClient;
  /** Undefined when the owner map does not know it any more. */
  readonly asker: Asker | undefined;
  readonly reason: string;
  /** Id of the deciding rule, 0 = none. */
  readonly rule: number;
  /** Audit mode: it was answered all the same. */
  readonly wouldDeny: boolean;
}

/** A grant the kernel has acknowledged; for late-allowed records. */
export interface DnsGranted {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly atMs: number;
}

/** An upstream resolver. */
export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

/** Sends questions to upstreams. */
export interface DnsUpstream {
  /**
   * Sends `message` under an id and source port that can't be guessed and returns the reply whose
   * id and question match; throws on time-out or a broken transport.
   */
  ask(
    server: DnsServer,
    message: Uint8Array,
    proto: DnsProtocol,
    timeoutMs: number,
  ): Promise<Uint8Array>;
}

/** Map writes on their way to the kernel. */
export interface GrantSink {
  /** Resolves when the kernel has all of them, throws when it took none. */
  apply(writes: readonly MapWrite[]): Promise<void>;
}

/** CLOCK_MONOTONIC in milliseconds, and one-shot timers. */
export interface DnsClock {
  nowMs(): number;
  /** Resolves after `ms`; the timer keeps nothing alive. */
  after(ms: number): Promise<void>;
  /** Calls `run` once what has arrived already is worked off. */
  soon(run: () => void): void;
}
