// What the kernel has, and should have, of the grants of one address. The kernel's side is
// mirrored, so only differences are written. Times in milliseconds of CLOCK_MONOTONIC.
import { type Address, isIPv4 } from '../net/address.ts';
import { PROTOCOL_NUMBERS } from '../net/protocol.ts';
import type { MapWrite } from '../policy/map-write.ts';
import { type Claim, type GrantEntry, grantEntries } from './grant-entries.ts';
import { type GrantKey, grantDelete, grantUpdate } from './grant-write.ts';
import type { Segment } from './segment.ts';

/** An entry with at least this long to live needs no wait for its extension. */
const SETTLED_MS = 2000;

const TABLE_NAMES = ['user', 'auto', 'runner', 'daemon', 'denial'] as const;

/** The tables of grants, in no order; the order they are asked in is verdict_for()'s. */
export type Table = (typeof TABLE_NAMES)[number];

/** Scope and kind of each table (bpf/abi.h, enum scope and enum kind). */
const TABLES: Readonly<Record<Table, { readonly scope: number; readonly kind: number }>> = {
  user: { scope: 0, kind: 0 },
  auto: { scope: 0, kind: 1 },
  runner: { scope: 1, kind: 2 },
  daemon: { scope: 2, kind: 1 },
  denial: { scope: 0, kind: 3 },
};

/** One name's hold on one address. */
export interface Holding extends Claim {
  readonly table: Table;
}

/** All holdings of one address, and the entries the kernel has of it. */
export interface AddressState {
  readonly address: Address;
  readonly holdings: Map<string, Holding>;
  readonly written: Map<string, GrantEntry>;
  /** A batch was refused: what the kernel has is not known, so everything is written again. */
  unsure: boolean;
  /** Some holding was of all ports but some: entries depend on each other. */
  wide: boolean;
}

/** Sets or extends one holding and keeps what it replaces; returns it. */
export function hold(
  state: AddressState,
  kept: Map<string, Holding | undefined>,
  item: Segment,
  claim: { readonly name: number; readonly expiresAtMs: number; readonly table: Table },
): Holding {
  const key = `${claim.name}|${claim.table}|${item.key}`;
  const before = state.holdings.get(key);
  if (!kept.has(key)) kept.set(key, before);
  const expiresAtMs = Math.max(before?.expiresAtMs ?? 0, claim.expiresAtMs);
  const holding = { ...claim, pairs: item.pairs, rule: item.rule, expiresAtMs };
  state.holdings.delete(key);
  state.holdings.set(key, holding);
  state.wide ||= item.pairs.tcp.kind === 'allBut' || item.pairs.udp.kind === 'allBut';
  return holding;
}

function tableOf(entryKey: string): Table {
  const name = entryKey.slice(0, entryKey.indexOf('|'));
  return TABLE_NAMES.find((table) => table === name) ?? 'denial';
}

function sameEntry(a: GrantEntry, b: GrantEntry): boolean {
  return a.expiresAtMs === b.expiresAtMs && a.rule === b.rule && a.name === b.name;
}

/** The entries an address should have; expired holdings are dropped on the way. */
function wantedEntries(state: AddressState, nowMs: number) {
  const wanted = new Map<string, { readonly table: Table; readonly entry: GrantEntry }>();
  const claims = new Map<Table, Claim[]>();
  for (const [key, holding] of state.holdings) {
    if (holding.expiresAtMs <= nowMs) {
      state.holdings.delete(key);
      continue;
    }
    const mine = claims.get(holding.table) ?? [];
    mine.push(holding);
    claims.set(holding.table, mine);
  }
  for (const [table, mine] of claims) {
    for (const entry of grantEntries(mine)) {
      wanted.set(`${table}|${entry.protocol}|${entry.port}`, { table, entry });
    }
  }
  return wanted;
}

function kernelKey(address: Address, table: Table, entry: GrantEntry): GrantKey {
  const isV6Icmp = entry.protocol === 'icmp' && !isIPv4(address);
  const proto = isV6Icmp ? PROTOCOL_NUMBERS.icmpv6 : PROTOCOL_NUMBERS[entry.protocol];
  return { ...TABLES[table], proto, port: entry.port, address };
}

function update(address: Address, table: Table, entry: GrantEntry): MapWrite {
  const expiresNs = BigInt(Math.ceil(entry.expiresAtMs)) * 1_000_000n;
  const { rule, name } = entry;
  return grantUpdate(kernelKey(address, table, entry), { expiresNs, rule, name });
}

/**
 * Brings the entries of one holding in step where every holding is of single ports: an entry is the
 * latest claim's, so nobody else's has to be looked at, however many names share the address.
 */
export function settleNarrow(state: AddressState, holding: Holding, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  for (const entry of grantEntries([holding])) {
    const key = `${holding.table}|${entry.protocol}|${entry.port}`;
    const have = state.written.get(key);
    if (have !== undefined && have.expiresAtMs > entry.expiresAtMs) continue;
    if (have !== undefined && sameEntry(have, entry)) continue;
    if ((have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    state.written.set(key, entry);
    writes.push(update(state.address, holding.table, entry));
  }
  return { writes, opens };
}

/** Brings one address's entries in step; returns what has to be written. */
export function settle(state: AddressState, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  const wanted = wantedEntries(state, nowMs);
  for (const [key, { table, entry }] of wanted) {
    const have = state.written.get(key);
    if (!state.unsure && have !== undefined && sameEntry(have, entry)) continue;
    if (entry.expiresAtMs > 0 && (have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    state.written.set(key, entry);
    writes.push(update(state.address, table, entry));
  }
  for (const [key, entry] of state.written) {
    if (wanted.has(key)) continue;
    state.written.delete(key);
    writes.push(grantDelete(kernelKey(state.address, tableOf(key), entry)));
  }
  state.unsure = false;
  return { writes, opens };
}
