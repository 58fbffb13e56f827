// The live grants and denials (spec 5): which addresses are open for which pairs until when, and
// why. Emits the map writes that make the kernel say the same. Times in milliseconds of
// CLOCK_MONOTONIC, passed in.
import { type Address, addressKey } from '../net/address.ts';
import { has } from '../net/pair-set.ts';
import type { Protocol } from '../net/protocol.ts';
import type { MapWrite } from '../policy/map-write.ts';
import {
  type AddressState,
  type Holding,
  hold,
  settle,
  settleNarrow,
  type Table,
} from './address-grants.ts';
import type { AddressGrant } from './judge-answer.ts';
import { NameIds } from './name-ids.ts';

const MAX_ADDRESSES_OF_A_NAME = 64;

/** Grants end on whole seconds, so that many answers in a second extend an entry once. */
function wholeSecond(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}

/** What a request replaced, per address and holding; undefined where there was nothing. */
type Before = Map<string, Map<string, Holding | undefined>>;

/** Grants of one answer. */
export interface GrantRequest {
  readonly name: string;
  readonly grants: readonly AddressGrant[];
  readonly expiresAtMs: number;
  readonly nowMs: number;
}

/** What has to be written for a request; `opens` when the answer must wait for it (I2). */
export interface GrantChange {
  readonly writes: readonly MapWrite[];
  readonly opens: boolean;
  /** Takes the request back after the kernel refused it; writes that make the kernel agree. */
  readonly undo: (nowMs: number) => readonly MapWrite[];
}

function writeNarrow(held: readonly (readonly [AddressState, Holding])[], nowMs: number) {
  const changes = held.map(([state, holding]) => settleNarrow(state, holding, nowMs));
  return {
    writes: changes.flatMap(({ writes }) => writes),
    opens: changes.some(({ opens }) => opens),
  };
}

/** All live grants and denials. */
export class Grants {
  readonly #ids: NameIds;
  readonly #addresses = new Map<string, AddressState>();
  /** Per name: its granted addresses, the least recently answered first. */
  readonly #answered = new Map<string, Map<string, number>>();
  #evicted = 0;

  /** `lastName`: numbers of names up to here are taken. */
  constructor(lastName = 0) {
    this.#ids = new NameIds(lastName);
  }

  /** Addresses that lost a name's grant to the limit of 64. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Addresses with a live or unswept grant. */
  get size(): number {
    return this.#addresses.size;
  }

  /** The name a number in a kernel entry or event stands for. */
  nameOf(id: number): string | undefined {
    return this.#ids.nameOf(id);
  }

  /** Opens (and denies) what an answer says; a grant that is there is only ever extended. */
  grant(request: GrantRequest): GrantChange {
    const id = this.#ids.idOf(request.name);
    const before: Before = new Map();
    const held: [AddressState, Holding][] = [];
    for (const { address, grants, denials } of request.grants) {
      const key = addressKey(address);
      const state = this.#stateOf(key, address);
      const kept = before.get(key) ?? new Map<string, Holding | undefined>();
      before.set(key, kept);
      const claim = { name: id, expiresAtMs: wholeSecond(request.expiresAtMs) };
      for (const item of grants) {
        held.push([state, hold(state, kept, item, { ...claim, table: item.kind })]);
      }
      for (const item of denials) {
        held.push([state, hold(state, kept, item, { ...claim, table: 'denial' })]);
      }
    }
    const evicted = this.#noteAnswered(request);
    for (const key of evicted) {
      const kept = before.get(key) ?? new Map<string, Holding | undefined>();
      before.set(key, kept);
      this.#letGo(key, id, kept);
    }
    const isNarrow = evicted.length === 0 && held.every(([{ wide, unsure }]) => !wide && !unsure);
    const { writes, opens } = isNarrow
      ? writeNarrow(held, request.nowMs)
      : this.#write(before.keys(), request.nowMs);
    return { writes, opens, undo: (nowMs) => this.#undo(before, nowMs) };
  }

  #stateOf(key: string, address: Address): AddressState {
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const state = { address, holdings: new Map(), written: new Map(), unsure: false, wide: false };
    this.#addresses.set(key, state);
    return state;
  }

  /** Notes the order of answering; returns the addresses that make room. Denials take no part. */
  #noteAnswered(request: GrantRequest): readonly string[] {
    const order = this.#answered.get(request.name) ?? new Map<string, number>();
    for (const { address, grants } of request.grants) {
      if (grants.length === 0) continue;
      const key = addressKey(address);
      const expiresAtMs = Math.max(order.get(key) ?? 0, request.expiresAtMs);
      order.delete(key);
      order.set(key, expiresAtMs);
    }
    this.#answered.delete(request.name);
    if (order.size > 0) this.#answered.set(request.name, order);
    const evicted: string[] = [];
    for (const key of order.keys()) {
      if (order.size <= MAX_ADDRESSES_OF_A_NAME) break;
      order.delete(key);
      evicted.push(key);
    }
    this.#evicted += evicted.length;
    return evicted;
  }

  #letGo(key: string, name: number, kept: Map<string, Holding | undefined>): void {
    const holdings = this.#addresses.get(key)?.holdings;
    if (holdings === undefined) return;
    for (const [holdingKey, holding] of holdings) {
      if (holding.name !== name || holding.table === 'denial') continue;
      if (!kept.has(holdingKey)) kept.set(holdingKey, holding);
      holdings.delete(holdingKey);
    }
  }

  #undo(before: Before, nowMs: number): readonly MapWrite[] {
    for (const [key, kept] of before) {
      const holdings = this.#addresses.get(key)?.holdings;
      for (const [holdingKey, holding] of kept) {
        if (holding === undefined) holdings?.delete(holdingKey);
        else holdings?.set(holdingKey, holding);
      }
    }
    return this.#write(before.keys(), nowMs, true).writes;
  }

  /** The differences between what the kernel has of these addresses and what it should have. */
  #write(keys: Iterable<string>, nowMs: number, rewrite = false) {
    const writes: MapWrite[] = [];
    let opens = false;
    for (const key of keys) {
      const state = this.#addresses.get(key);
      if (state === undefined) continue;
      if (rewrite) state.unsure = true;
      const change = settle(state, nowMs);
      writes.push(...change.writes);
      opens ||= change.opens;
      if (state.holdings.size === 0 && state.written.size === 0) this.#addresses.delete(key);
    }
    return { writes, opens };
  }

  /** Drops what has expired and returns the writes that delete it from the kernel. */
  sweep(nowMs: number): readonly MapWrite[] {
    const touched = new Set<string>();
    for (const [key, state] of this.#addresses) {
      if ([...state.holdings.values()].some((holding) => holding.expiresAtMs <= nowMs))
        touched.add(key);
    }
    for (const [name, order] of this.#answered) {
      for (const [key, expiresAtMs] of order) if (expiresAtMs <= nowMs) order.delete(key);
      if (order.size === 0) this.#answered.delete(name);
    }
    return this.#write(touched, nowMs).writes;
  }

  /** The latest live holding of a table that covers the pair. */
  live(
    table: Table,
    address: Address,
    protocol: Protocol,
    port: number,
    nowMs: number,
  ): { readonly name: string | undefined; readonly rule: number } | undefined {
    const holdings = this.#addresses.get(addressKey(address))?.holdings.values() ?? [];
    const found = [...holdings].findLast(
      (holding) =>
        holding.table === table &&
        holding.expiresAtMs > nowMs &&
        has(holding.pairs, protocol, port),
    );
    return found && { name: this.#ids.nameOf(found.name), rule: found.rule };
  }

  /** The name of the latest live grant of an address, for reverse questions. */
  latestName(address: Address, nowMs: number): string | undefined {
    const isForAll = ({ table }: Holding) => table !== 'runner' && table !== 'daemon';
    return this.#live(address, nowMs, isForAll)[0];
  }

  /** Names with live grants, the latest first: what a round of forward look-ups asks again. */
  grantedNames(): readonly string[] {
    return [...this.#answered.keys()].reverse();
  }

  #live(address: Address, nowMs: number, wanted: (holding: Holding) => boolean): readonly string[] {
    const state = this.#addresses.get(addressKey(address));
    const names = new Set<string>();
    for (const holding of [...(state?.holdings.values() ?? [])].reverse()) {
      if (holding.table === 'denial' || holding.expiresAtMs <= nowMs || !wanted(holding)) continue;
      const name = this.#ids.nameOf(holding.name);
      if (name !== undefined) names.add(name);
    }
    return [...names];
  }
}
