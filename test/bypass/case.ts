// One way of sending, as data: what is tried, by whom, where to, and what must be recorded.
import type { AuditEvent } from '../../src/core/audit/event.ts';
import type { Privilege } from './arena.ts';

/**
 * Where to: an address nobody has allowed, one that is allowed on 443/tcp and 9/udp (each the case's
 * own), or an address as written.
 */
export type Target = 'refused' | 'refused6' | 'open' | 'open6' | (string & {});

export interface Case {
  readonly number: number;
  readonly what: string;
  readonly privilege: Privilege;
  readonly script: string;
  /** `refused` where absent. */
  readonly to?: Target;
  /** What the same path lets through: another address, or (`script`) another packet. */
  readonly control?: { readonly to?: Target; readonly script?: string };
  /** What the record says besides the destination. */
  readonly record?: Partial<AuditEvent>;
  /** Frames that have no socket of the internet's families are seen by the wall alone. */
  readonly only?: 'cgroup' | 'wall';
}

export const blocked = { event_type: 'connection_blocked' } as const;
export const shape = { decided_by: 'shape' } as const;

export function protocol(name: string) {
  return { event_type: 'protocol_blocked', protocol: name } as const;
}

/** A case's own address of a kind. */
export function addressOf(target: Target, at: number): string {
  const kinds: Readonly<Record<string, string>> = {
    refused: `203.0.112.${at}`,
    refused6: `2001:db8:bad::${at.toString(16)}`,
    open: `198.51.101.${at}`,
    open6: `2001:db8:2::${at.toString(16)}`,
  };
  return kinds[target] ?? target;
}
