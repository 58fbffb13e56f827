// Segments: sets of (protocol, port) pairs that one rule decides one way. Grants, denials and
// learned names carry them on.
import {
  emptyPairs,
  intersect,
  isEmpty,
  type PairSet,
  type PortSet,
  subtract,
  union,
} from '../net/pair-set.ts';

/** Whose grant a segment becomes: the order they are asked in is verdict_for()'s. */
export type SegmentKind = 'user' | 'auto' | 'runner' | 'daemon';

/** Pairs that one rule decides for a name. `key` is equal for equal segments. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly pairs: PairSet;
  /** Id of the deciding rule, 0 when no rule of the policy stands behind it. */
  readonly rule: number;
  /** Private answers become grants (spec 5, Rebinding guard). */
  readonly private: boolean;
  readonly key: string;
}

const MAX_INTERNED = 16_384;
const pairSets = new Map<string, PairSet>();

/** One value for equal pairs: a name's grants are kept by the thousand. Changes no answer. */
function interned(key: string, pairs: PairSet): PairSet {
  const known = pairSets.get(key);
  if (known !== undefined) return known;
  if (pairSets.size >= MAX_INTERNED) pairSets.clear();
  pairSets.set(key, pairs);
  return pairs;
}

/** A segment with its key. */
export function segment(parts: Omit<Segment, 'key'>): Segment {
  const { tcp, udp, icmp } = parts.pairs;
  const ports = (set: PortSet) => `${set.kind === 'some' ? '' : '!'}${set.ports.join()}`;
  const key = `${parts.kind}|${parts.rule}|${ports(tcp)}|${ports(udp)}|${icmp ? 'i' : ''}`;
  return { ...parts, pairs: interned(key, parts.pairs), key };
}

/** The union of the segments' pairs. */
export function pairsOfSegments(segments: readonly Segment[]): PairSet {
  return segments.reduce((sum, item) => union(sum, item.pairs), emptyPairs());
}

/** The segments without `pairs`; a runner host's segments stay whole (spec 5: before all rules). */
export function withoutPairs(segments: readonly Segment[], pairs: PairSet): readonly Segment[] {
  if (isEmpty(pairs)) return segments;
  return segments.flatMap((item) => {
    if (item.kind === 'runner' || isEmpty(intersect(item.pairs, pairs))) return [item];
    const rest = subtract(item.pairs, pairs);
    return isEmpty(rest) ? [] : [segment({ ...item, pairs: rest })];
  });
}
