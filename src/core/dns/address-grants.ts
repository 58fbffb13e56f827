// What the kernel has, and should have, of the grants of one address. The kernel's side is
// mirrored, so only differences are written. Times in milliseconds of CLOCK_MONOTONIC.
import { type Address, addressOfKey, isIPv4 } from '../net/address.ts';
import { PROTOCOL_NUMBERS } from '../net/protocol.ts';
import type { MapWrite } from '../policy/map-write.ts';
import { type Claim, type GrantEntry, grantEntries } from './grant-entries.ts';
import { type GrantKey, grantDelete, grantUpdate } from './grant-write.ts';
import { OneOrMany } from './one-or-many.ts';
import type { Segment } from './segment.ts';

/** An entry with at least this long to live needs no wait for its extension. */
const SETTLED_MS = 2000;

/** The tables of grants, in no order; the order they are asked in is verdict_for()'s. */
export type Table = 'user' | 'auto' | 'runner' | 'daemon' | 'denial';

/** Scope and kind of each table (bpf/abi.h, enum scope and enum kind). */
const TABLES: Readonly<Record<Table, { readonly scope: number; readonly kind: number }>> = {
  user: { scope: 0, kind: 0 },
  auto: { scope: 0, kind: 1 },
  runner: { scope: 1, kind: 2 },
  daemon: { scope: 2, kind: 1 },
  denial: { scope: 0, kind: 3 },
};

/** One name's hold on one address: the pairs of a segment until a time. */
export interface Holding {
  readonly table: Table;
  readonly segment: Segment;
  /** Number of the name. */
  readonly name: number;
  readonly expiresAtMs: number;
}

class Holdings extends OneOrMany<Holding> {
  protected override keyOf({ name, table, segment }: Holding): string {
    return `${name}|${table}|${segment.key}`;
  }
}

/** An entry the kernel has, and in which table. */
interface Written {
  readonly table: Table;
  readonly entry: GrantEntry;
}

/** All holdings of one address, and the entries the kernel has of it. */
export interface AddressState {
  /** addressKey() of the address. */
  readonly key: string;
  readonly holdings: Holdings;
  written: Written[];
  /** A batch was refused: what the kernel has is not known, so everything is written again. */
  unsure: boolean;
  /** Some holding was of all ports but some: entries depend on each other. */
  wide: boolean;
}

/** An address nobody holds yet. */
export function newAddressState(key: string): AddressState {
  return { key, holdings: new Holdings(), written: [], unsure: false, wide: false };
}

/** Sets or extends one holding; returns it and what it replaced. */
export function hold(state: AddressState, wanted: Holding) {
  const known = state.holdings.get(wanted);
  const isLonger = known !== undefined && known.expiresAtMs > wanted.expiresAtMs;
  const holding = isLonger ? { ...wanted, expiresAtMs: known.expiresAtMs } : wanted;
  const { tcp, udp } = wanted.segment.pairs;
  state.wide ||= tcp.kind === 'allBut' || udp.kind === 'allBut';
  return { holding, replaced: state.holdings.set(holding) };
}

function sameEntry(a: GrantEntry, b: GrantEntry): boolean {
  return a.expiresAtMs === b.expiresAtMs && a.rule === b.rule && a.name === b.name;
}

function samePlace(one: Written, other: Written): boolean {
  return (
    one.table === other.table &&
    one.entry.port === other.entry.port &&
    one.entry.protocol === other.entry.protocol
  );
}

function claimOf({ segment, name, expiresAtMs }: Holding): Claim {
  return { pairs: segment.pairs, rule: segment.rule, name, expiresAtMs };
}

/** The entries an address should have. */
function wantedEntries(state: AddressState, nowMs: number): readonly Written[] {
  const claims = new Map<Table, Claim[]>();
  for (const holding of state.holdings.values()) {
    if (holding.expiresAtMs <= nowMs) continue;
    const mine = claims.get(holding.table) ?? [];
    mine.push(claimOf(holding));
    claims.set(holding.table, mine);
  }
  return [...claims].flatMap(([table, mine]) =>
    grantEntries(mine).map((entry) => ({ table, entry })),
  );
}

function kernelKey(state: AddressState, { table, entry }: Written): GrantKey {
  const address: Address = addressOfKey(state.key);
  const isV6Icmp = entry.protocol === 'icmp' && !isIPv4(address);
  const proto = isV6Icmp ? PROTOCOL_NUMBERS.icmpv6 : PROTOCOL_NUMBERS[entry.protocol];
  return { ...TABLES[table], proto, port: entry.port, address };
}

function update(state: AddressState, written: Written): MapWrite {
  const { rule, name, expiresAtMs: expiresMs } = written.entry;
  return grantUpdate(kernelKey(state, written), { expiresMs, rule, name });
}

/** Puts an entry in the place of the one that is written there. */
function put(state: AddressState, wanted: Written): void {
  const at = state.written.findIndex((have) => samePlace(have, wanted));
  if (at < 0) state.written.push(wanted);
  else state.written[at] = wanted;
}

/**
 * Brings the entries of one holding in step where every holding is of single ports: an entry is the
 * latest claim's, so nobody else's has to be looked at, however many names share the address.
 */
export function settleNarrow(state: AddressState, holding: Holding, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  for (const entry of grantEntries([claimOf(holding)])) {
    const wanted = { table: holding.table, entry };
    const have = state.written.find((one) => samePlace(one, wanted))?.entry;
    if (have !== undefined && have.expiresAtMs > entry.expiresAtMs) continue;
    if (have !== undefined && sameEntry(have, entry)) continue;
    if ((have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    put(state, wanted);
    writes.push(update(state, wanted));
  }
  return { writes, opens };
}

/** Brings one address's entries in step; returns what has to be written. */
export function settle(state: AddressState, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  const wanted = wantedEntries(state, nowMs);
  for (const one of wanted) {
    const have = state.written.find((other) => samePlace(other, one))?.entry;
    if (!state.unsure && have !== undefined && sameEntry(have, one.entry)) continue;
    if (one.entry.expiresAtMs > 0 && (have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    writes.push(update(state, one));
  }
  for (const have of state.written) {
    if (wanted.some((one) => samePlace(one, have))) continue;
    writes.push(grantDelete(kernelKey(state, have)));
  }
  state.written = [...wanted];
  state.unsure = false;
  return { writes, opens };
}
