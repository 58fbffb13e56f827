// Grants that an earlier daemon has given: the entries the kernel has of one address, read back as
// holdings that say the same, so that what is granted next neither uncovers nor hides any of them.
import { emptyPairs, type PairSet } from '../net/pair-set.ts';
import type { Holding, Table, Written } from './address-grants.ts';
import { type SegmentKind, segment } from './segment.ts';

/** A denial's segment is of the rules of users, as its first daemon had it. */
function kindOf(table: Table): SegmentKind {
  return table === 'denial' ? 'user' : table;
}

/** An entry of all ports admits none of those that have entries of their own. */
function pairsOf(entry: Written, entries: readonly Written[]): PairSet {
  const { table, protocol, port } = entry;
  if (protocol === 'icmp') return { ...emptyPairs(), icmp: true };
  if (port > 0) return { ...emptyPairs(), [protocol]: { kind: 'some', ports: [port] } };
  const ports = entries
    .filter((one) => one.table === table && one.protocol === protocol && one.port > 0)
    .map((one) => one.port);
  return { ...emptyPairs(), [protocol]: { kind: 'allBut', ports: ports.sort((a, b) => a - b) } };
}

/** The live holdings that the entries of one address stand for. */
export function holdingsOf(entries: readonly Written[], nowMs: number): readonly Holding[] {
  const live = entries.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  return live.map((entry) => {
    const { table, expiresAtMs, rule, name } = entry;
    const pairs = pairsOf(entry, entries);
    const of = segment({ kind: kindOf(table), pairs, rule, private: false });
    return { table, name, expiresAtMs, segment: of };
  });
}
