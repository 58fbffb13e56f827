// What the kernel said about one flow, as a value.
import type { Address } from '../net/address.ts';

/** One event of the kernel's (spec 8): the contract's 64 bytes and the extension behind them. */
export interface FlowEvent {
  /** CLOCK_MONOTONIC */
  readonly monotonicNs: bigint;
  /** The policy's verdict, in audit mode too. */
  readonly allowed: boolean;
  /** IANA number; 255 for a frame that is not IP. */
  readonly protocol: number;
  /** Undefined where the frame has none. */
  readonly src: Address | undefined;
  readonly dst: Address | undefined;
  /** 0 for protocols without ports. */
  readonly srcPort: number;
  readonly dstPort: number;
  readonly pid: number;
  readonly midStream: boolean;
  /** enum decided_by */
  readonly by: number;
  /** enum layer */
  readonly layer: number;
  /** enum origin */
  readonly origin: number;
  /** enum mode at the time of the event */
  readonly mode: number;
  /** Id of the deciding rule, 0 = none. */
  readonly rule: number;
  /** Id of the granted name, 0 = none. */
  readonly name: number;
  readonly uid: number;
  readonly ethertype: number;
  readonly scope: number;
  /** Attempts the event stands for. */
  readonly count: number;
  readonly cgroup: bigint;
  readonly comm: string;
  /** With pid and execs: IdentityKey. */
  readonly startNs: bigint;
  readonly execs: number;
}
