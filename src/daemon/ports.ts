// What the daemon's shell needs of the world besides DNS (dns-ports.ts). The edges satisfy these
// structurally.
import type { MapWrite } from '../core/policy/map-write.ts';

/** The loader, as the start needs it. */
export interface Starter {
  apply(writes: readonly MapWrite[]): Promise<void>;
  flip(mode: number): Promise<void>;
  /** As core/dns/grant-write.ts reads it. */
  grants(): Promise<Uint8Array>;
  listFlows(): Promise<unknown>;
  /** 0 or -errno for each flow of encodeOpenFlows. */
  closeFlows(flows: Uint8Array): Promise<readonly number[]>;
  proveTc(): Promise<void>;
  pin(): Promise<void>;
}

/** main's pipe. */
export interface Announcer {
  stage(line: unknown): void;
  green(line: unknown): void;
}

/** The kernel's counters. */
export interface CounterReader {
  /** By enum counter. */
  counters(): Promise<readonly number[]>;
}

/** The kernel's totals of bytes. */
export interface TrafficReader {
  /** As core/flow/traffic.ts reads it. */
  traffic(): Promise<Uint8Array>;
}

/** Where clients of the control socket are answered. */
export interface ControlReplies {
  reply(client: number, line: unknown): void;
}

/** The audit log's file. */
export interface AuditSink {
  /** Appends whole lines; throws when they could not be written. */
  append(lines: string): void;
}
