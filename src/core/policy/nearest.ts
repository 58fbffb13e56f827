// What somebody may have meant who wrote a word that isn't known.

const MAX_CHANGES = 3;

/** The known word fewest changes away, at most three and half its length; the first of equals. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const far = known.map((one) => ({ one, changes: distance(word, one) }));
  const [best] = far.sort((a, b) => a.changes - b.changes);
  if (best === undefined || best.changes > MAX_CHANGES) return undefined;
  return 2 * best.changes <= best.one.length ? best.one : undefined;
}

/** Characters to insert, remove or replace (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
