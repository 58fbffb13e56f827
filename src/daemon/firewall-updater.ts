// Opens or denies single addresses in the kernel (the contract's FirewallUpdater).
import { type Segment, type SegmentKind, segment } from '../core/dns/segment.ts';
import type { Address } from '../core/net/address.ts';
import { type PortItem, pairsOf } from '../core/net/pair-set.ts';
import type { Action } from '../core/policy/policy.ts';
import type { GrantKeeper } from './grant-keeper.ts';

/** Adds addresses to the firewall. */
export interface FirewallUpdater {
  /**
   * Allows or denies an address on ports (`null`: every port); resolves when the kernel has it, to
   * whether it says anything new. Throws when the kernel refuses.
   */
  addIp(ip: Address, action: Action, ports: readonly PortItem[] | null): Promise<boolean>;
}

/** In whose name and how long. */
export interface GrantTerms {
  readonly name: string;
  readonly kind: SegmentKind;
  /** CLOCK_MONOTONIC, ms */
  readonly expiresAtMs: number;
  readonly nowMs: number;
}

/** The updater whose additions are grants of one name. */
export class GrantUpdater implements FirewallUpdater {
  readonly #keeper: Pick<GrantKeeper, 'open'>;
  readonly #terms: GrantTerms;

  constructor(keeper: Pick<GrantKeeper, 'open'>, terms: GrantTerms) {
    this.#keeper = keeper;
    this.#terms = terms;
  }

  addIp(ip: Address, action: Action, ports: readonly PortItem[] | null): Promise<boolean> {
    const { name, kind, expiresAtMs, nowMs } = this.#terms;
    const pairs = pairsOf(ports, action);
    const own: readonly Segment[] = [segment({ kind, pairs, rule: 0, private: true })];
    const isAllow = action === 'allow';
    const grant = { address: ip, grants: isAllow ? own : [], denials: isAllow ? [] : own };
    return this.#keeper.open({ name, grants: [grant], expiresAtMs, nowMs });
  }
}
