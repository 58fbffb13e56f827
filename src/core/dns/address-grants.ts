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

/** The table of a scope and kind; undefined when grants are in no such table. */
export function tableOf(scope: number, kind: number): Table | undefined {
  const tables = Object.keys(TABLES) as Table[];
  return tables.find((table) => TABLES[table].scope === scope && TABLES[table].kind === kind);
}

/** One name's hold on one address: the pairs of a segment until a time. */
export interface Holding {
  readonly table: Table;
  readonly segment: Segment;
  /** Number of the name. */
  readonly name: number;
  readonly expiresAtMs: number;
}

/** An entry the kernel has, and in which table. */
export interface Written extends GrantEntry {
  readonly table: Table;
}

/** The entries the kernel has of an address. */
class WrittenEntries extends OneOrMany<Written> {
  protected override keyOf({ table, protocol, port }: Written): string {
    return `${table}|${protocol}|${port}`;
  }
}

/** Holdings that are looked through one by one. */
const FEW = 8;

/** Holdings of one group have the same pairs in the same table. */
function groupOf({ table, segment }: Holding): string {
  return `${table}|${segment.key}`;
}

function isForAll({ table }: Holding): boolean {
  return table === 'user' || table === 'auto';
}

/** The longest holding of each group, of equals the latest set. */
function leadersOf(holdings: readonly Holding[]): Map<string, Holding> {
  const leaders = new Map<string, Holding>();
  for (const holding of holdings) {
    const key = groupOf(holding);
    const lead = leaders.get(key);
    if (lead !== undefined && lead.expiresAtMs > holding.expiresAtMs) continue;
    leaders.delete(key);
    leaders.set(key, holding);
  }
  return leaders;
}

/** What is remembered of an address with many holdings, so that no answer walks all of them. */
class Crowd {
  /** Made when they are asked for. */
  leading: Map<string, Holding> | undefined = undefined;
  /** The latest set of those that are everybody's. */
  latest: Holding | undefined = undefined;

  note(holding: Holding, before: Holding | undefined): void {
    if (isForAll(holding)) this.latest = holding;
    const { leading } = this;
    if (leading === undefined) return;
    const key = groupOf(holding);
    const lead = leading.get(key);
    if (lead === undefined || holding.expiresAtMs >= lead.expiresAtMs) {
      leading.delete(key);
      leading.set(key, holding);
    } else if (lead === before) this.leading = undefined;
  }

  forget(gone: Holding): void {
    if (this.latest === gone) this.latest = undefined;
    if (this.leading?.get(groupOf(gone)) === gone) this.leading = undefined;
  }
}

/** All holdings of one address, and the entries the kernel has of it. */
export class AddressState extends OneOrMany<Holding> {
  /** addressKey() of the address. */
  readonly key: string;
  readonly written = new WrittenEntries();
  /** A batch was refused: what the kernel has is not known, so everything is written again. */
  unsure = false;
  /** Some holding was of all ports but some: entries depend on each other. */
  wide = false;
  #crowd: Crowd | undefined = undefined;

  constructor(key: string) {
    super();
    this.key = key;
  }

  protected override keyOf({ name, table, segment }: Holding): string {
    return `${name}|${table}|${segment.key}`;
  }

  override set(holding: Holding): Holding | undefined {
    const before = super.set(holding);
    if (this.#crowd === undefined && this.size <= FEW) return before;
    this.#crowd ??= new Crowd();
    this.#crowd.note(holding, before);
    return before;
  }

  override delete(like: Holding): void {
    const gone = this.get(like);
    super.delete(like);
    if (gone !== undefined) this.#crowd?.forget(gone);
  }

  /**
   * Holdings of which each pair's longest is one, the latest set last: of many names with the same
   * pairs one speaks for all. An address may have tens of thousands of names.
   */
  leading(): readonly Holding[] {
    if (this.#crowd === undefined) return this.values();
    this.#crowd.leading ??= leadersOf(this.values());
    return [...this.#crowd.leading.values()];
  }

  /** Those of one name. */
  ofName(name: number): readonly Holding[] {
    if (this.#crowd === undefined) return this.values().filter((one) => one.name === name);
    return this.leading().flatMap((lead) => this.get({ ...lead, name }) ?? []);
  }

  /** The latest set of those that are everybody's and live. */
  latestForAll(nowMs: number): Holding | undefined {
    const isLive = ({ expiresAtMs }: Holding) => expiresAtMs > nowMs;
    const latest = this.#crowd?.latest;
    if (latest !== undefined && isLive(latest)) return latest;
    return this.values().findLast((holding) => isForAll(holding) && isLive(holding));
  }
}

/** Sets or extends one holding; returns it and what it replaced. */
export function hold(state: AddressState, wanted: Holding) {
  const known = state.get(wanted);
  const isLonger = known !== undefined && known.expiresAtMs > wanted.expiresAtMs;
  const holding = isLonger ? { ...wanted, expiresAtMs: known.expiresAtMs } : wanted;
  const { tcp, udp } = wanted.segment.pairs;
  state.wide ||= tcp.kind === 'allBut' || udp.kind === 'allBut';
  return { holding, replaced: state.set(holding) };
}

function sameEntry(a: GrantEntry, b: GrantEntry): boolean {
  return a.expiresAtMs === b.expiresAtMs && a.rule === b.rule && a.name === b.name;
}

function written(table: Table, entry: GrantEntry): Written {
  const { protocol, port, expiresAtMs, rule, name } = entry;
  return { table, protocol, port, expiresAtMs, rule, name };
}

function claimOf({ segment, name, expiresAtMs }: Holding): Claim {
  return { pairs: segment.pairs, rule: segment.rule, name, expiresAtMs };
}

/** The entries an address should have. */
function wantedEntries(state: AddressState, nowMs: number): readonly Written[] {
  const claims = new Map<Table, Claim[]>();
  for (const holding of state.leading()) {
    if (holding.expiresAtMs <= nowMs) continue;
    const mine = claims.get(holding.table) ?? [];
    mine.push(claimOf(holding));
    claims.set(holding.table, mine);
  }
  return [...claims].flatMap(([table, mine]) =>
    grantEntries(mine).map((entry) => written(table, entry)),
  );
}

function kernelKey(state: AddressState, { table, protocol, port }: Written): GrantKey {
  const address: Address = addressOfKey(state.key);
  const isV6Icmp = protocol === 'icmp' && !isIPv4(address);
  const proto = isV6Icmp ? PROTOCOL_NUMBERS.icmpv6 : PROTOCOL_NUMBERS[protocol];
  const { scope, kind } = TABLES[table];
  return { scope, kind, proto, port, address };
}

function update(state: AddressState, wanted: Written): MapWrite {
  const { rule, name, expiresAtMs: expiresMs } = wanted;
  return grantUpdate(kernelKey(state, wanted), { expiresMs, rule, name });
}

/**
 * Brings the entries of one holding in step where every holding is of single ports: an entry is the
 * latest claim's, so nobody else's has to be looked at, however many names share the address.
 */
export function settleNarrow(state: AddressState, holding: Holding, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  for (const entry of grantEntries([claimOf(holding)])) {
    const wanted = written(holding.table, entry);
    const have = state.written.get(wanted);
    if (have !== undefined && have.expiresAtMs > entry.expiresAtMs) continue;
    if (have !== undefined && sameEntry(have, entry)) continue;
    if ((have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    state.written.set(wanted);
    writes.push(update(state, wanted));
  }
  return { writes, opens };
}

/** Brings one address's entries in step; returns what has to be written. */
export function settle(state: AddressState, nowMs: number) {
  const writes: MapWrite[] = [];
  let opens = false;
  const wanted = wantedEntries(state, nowMs);
  const stale = new Set(state.written.values());
  for (const one of wanted) {
    const have = state.written.get(one);
    if (have !== undefined) stale.delete(have);
    if (!state.unsure && have !== undefined && sameEntry(have, one)) continue;
    if (one.expiresAtMs > 0 && (have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS) opens = true;
    state.written.set(one);
    writes.push(update(state, one));
  }
  for (const have of stale) {
    state.written.delete(have);
    writes.push(grantDelete(kernelKey(state, have)));
  }
  state.unsure = false;
  return { writes, opens };
}
