// The live grants and denials (spec 5): which addresses are open for which pairs until when, and
// why. Emits the map writes that make the kernel say the same. Times in milliseconds of
// CLOCK_MONOTONIC, passed in.
import { type Address, addressKey } from '../net/address.ts';
import { has } from '../net/pair-set.ts';
import { type Protocol, protocolOf } from '../net/protocol.ts';
import type { MapWrite } from '../policy/map-write.ts';
import {
  AddressState,
  type Holding,
  hold,
  settle,
  settleNarrow,
  type Table,
  tableOf,
} from './address-grants.ts';
import type { KernelGrant } from './grant-write.ts';
import { type GrantedName, GrantedNames } from './granted-names.ts';
import type { AddressGrant } from './judge-answer.ts';
import type { Segment } from './segment.ts';
import { holdingsOf } from './taken-over.ts';

const MAX_ADDRESSES_OF_A_NAME = 64;

/** Grants end on whole seconds, so that many answers in a second extend an entry once. */
export function wholeSecond(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}

/** A holding that was set, or without `holding` taken away, and what was there before. */
interface Change {
  readonly state: AddressState;
  readonly holding: Holding | undefined;
  readonly replaced: Holding | undefined;
}

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
  /** The addresses it is about. */
  readonly states: readonly AddressState[];
  /** Takes the request back after the kernel refused it; writes that make the kernel agree. */
  readonly undo: (nowMs: number) => readonly MapWrite[];
}

/** Writes per state; `opens` when any of them does. */
function collect(
  parts: Iterable<{ readonly writes: readonly MapWrite[]; readonly opens: boolean }>,
) {
  const writes: MapWrite[] = [];
  let opens = false;
  for (const part of parts) {
    writes.push(...part.writes);
    opens ||= part.opens;
  }
  return { writes, opens };
}

/** All live grants and denials. */
export class Grants {
  readonly #names: GrantedNames;
  readonly #addresses = new Map<string, AddressState>();
  #evicted = 0;

  /** `lastName`: numbers of names up to here are taken. */
  constructor(lastName = 0) {
    this.#names = new GrantedNames(lastName);
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
    return this.#names.get(id)?.text;
  }

  /** Opens (and denies) what an answer says; a grant that is there is only ever extended. */
  grant(request: GrantRequest): GrantChange {
    const { nowMs } = request;
    const name = this.#names.of(request.name);
    const expiresAtMs = wholeSecond(request.expiresAtMs);
    const changes: Change[] = [];
    const answered: AddressState[] = [];
    for (const { address, grants, denials } of request.grants) {
      const state = this.#stateOf(addressKey(address));
      const take = (table: Table, segment: Segment) => {
        const wanted = { table, segment, name: name.id, expiresAtMs };
        const { holding, replaced } = hold(state, wanted);
        changes.push({ state, holding, replaced });
      };
      for (const segment of grants) take(segment.kind, segment);
      for (const segment of denials) take('denial', segment);
      if (grants.length > 0) answered.push(state);
    }
    const lost = this.#noteAnswered(name, answered);
    for (const state of lost) changes.push(...letGo(state, name.id));
    const { writes, opens } = this.#writesOf(changes, nowMs);
    const undo = (laterMs: number) => this.#undo(name, changes, laterMs);
    return { writes, opens, states: changes.map(({ state }) => state), undo };
  }

  #writesOf(changes: readonly Change[], nowMs: number) {
    const isNarrow = ({ state, holding }: Change) => holding && !state.wide && !state.unsure;
    if (!changes.every(isNarrow))
      return this.#write(
        changes.map(({ state }) => state),
        nowMs,
      );
    return collect(
      changes.map(({ state, holding }) =>
        holding === undefined ? { writes: [], opens: false } : settleNarrow(state, holding, nowMs),
      ),
    );
  }

  #stateOf(key: string): AddressState {
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const state = new AddressState(key);
    this.#addresses.set(key, state);
    return state;
  }

  /** Notes the order of answering; returns the addresses that make room. Denials take no part. */
  #noteAnswered(name: GrantedName, answered: readonly AddressState[]): readonly AddressState[] {
    const latest = [...new Set(answered.toReversed())].reverse();
    const held = [...name.held.filter((state) => !latest.includes(state)), ...latest];
    const lost = held.slice(0, -MAX_ADDRESSES_OF_A_NAME);
    name.held = held.slice(-MAX_ADDRESSES_OF_A_NAME);
    this.#evicted += lost.length;
    return lost;
  }

  #undo(name: GrantedName, changes: readonly Change[], nowMs: number): readonly MapWrite[] {
    for (const { state, holding, replaced } of changes.toReversed()) {
      if (replaced !== undefined) state.set(replaced);
      else if (holding !== undefined) state.delete(holding);
      state.unsure = true;
    }
    name.held = name.held.filter((state) => isHeldBy(state, name.id));
    return this.#write(
      changes.map(({ state }) => state),
      nowMs,
    ).writes;
  }

  /** The differences between what the kernel has of these addresses and what it should have. */
  #write(states: Iterable<AddressState>, nowMs: number) {
    return collect(
      [...new Set(states)].map((state) => {
        const change = settle(state, nowMs);
        if (state.size === 0 && state.written.size === 0) {
          this.#addresses.delete(state.key);
        }
        return change;
      }),
    );
  }

  /** Takes over what an earlier daemon has given (nobody's names); returns the writes that tidy up. */
  takeOver(given: readonly KernelGrant[], nowMs: number): readonly MapWrite[] {
    const states = new Set<AddressState>();
    for (const { key, value } of given) {
      const table = tableOf(key.scope, key.kind);
      const protocol = protocolOf(key.proto);
      if (table === undefined || protocol === undefined) continue;
      const state = this.#stateOf(addressKey(key.address));
      const { expiresMs: expiresAtMs, rule, name } = value;
      state.written.set({ table, protocol, port: key.port, expiresAtMs, rule, name });
      states.add(state);
    }
    for (const state of states) {
      for (const holding of holdingsOf(state.written.values(), nowMs)) hold(state, holding);
    }
    return this.#write(states, nowMs).writes;
  }

  /** Drops what has expired and returns the writes that delete it from the kernel. */
  sweep(nowMs: number): readonly MapWrite[] {
    const touched: AddressState[] = [];
    for (const state of this.#addresses.values()) {
      const ended = state.values().filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
      if (ended.length === 0) continue;
      for (const holding of ended) state.delete(holding);
      const live = new Set(
        state
          .values()
          .filter(opens)
          .map(({ name }) => name),
      );
      for (const { name } of ended) if (!live.has(name)) this.#forget(name, state);
      touched.push(state);
    }
    return this.#write(touched, nowMs).writes;
  }

  #forget(id: number, state: AddressState): void {
    const name = this.#names.get(id);
    if (name !== undefined) name.held = name.held.filter((one) => one !== state);
  }

  /** The latest live holding of a table that covers the pair. */
  live(
    table: Table,
    address: Address,
    protocol: Protocol,
    port: number,
    nowMs: number,
  ): { readonly name: string | undefined; readonly rule: number } | undefined {
    const holdings = this.#addresses.get(addressKey(address))?.leading() ?? [];
    const found = holdings.findLast(
      (holding) =>
        holding.table === table &&
        holding.expiresAtMs > nowMs &&
        has(holding.segment.pairs, protocol, port),
    );
    return found && { name: this.nameOf(found.name), rule: found.segment.rule };
  }

  /** The name of the latest live grant of an address, for reverse questions. */
  latestName(address: Address, nowMs: number): string | undefined {
    const latest = this.#addresses.get(addressKey(address))?.latestForAll(nowMs);
    return latest && this.nameOf(latest.name);
  }

  /** Whether every one of these addresses still has a grant of the name. */
  holds(name: string, addresses: readonly Address[]): boolean {
    const held = this.#names.heldBy(name);
    return addresses.every((address) => held.some(({ key }) => key === addressKey(address)));
  }

  /** Names with live grants, the latest first: what a round of forward look-ups asks again. */
  grantedNames(): readonly string[] {
    return this.#names.holding();
  }
}

function opens({ table }: Holding): boolean {
  return table !== 'denial';
}

function isHeldBy(state: AddressState, name: number): boolean {
  return state.ofName(name).some(opens);
}

/** Takes a name's grants off an address. */
function letGo(state: AddressState, name: number): readonly Change[] {
  const gone = state.ofName(name).filter(opens);
  for (const holding of gone) state.delete(holding);
  return gone.map((replaced) => ({ state, holding: undefined, replaced }));
}
