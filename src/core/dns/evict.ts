// Making room in a bounded Map.

/** The part of a full Map that goes at once: looking for the oldest entry costs more the more went before it. */
const SHARE = 16;

/** When a Map has more than `limit` entries, drops the oldest of them, a sixteenth at once. */
export function evictOldest<V>(
  map: Map<unknown, V>,
  limit: number,
  onEvicted: (value: V) => void,
): void {
  if (map.size <= limit) return;
  const kept = limit - Math.floor(limit / SHARE);
  for (const [key, value] of map) {
    if (map.size <= kept) return;
    map.delete(key);
    onEvicted(value);
  }
}
