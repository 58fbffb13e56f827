// The digests of what is about to run as root. They find damage; an earlier step that can write
// here can write SHA256SUMS too.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files that differ from dist/SHA256SUMS or are missing there; empty when all is well. */
export function findDamage(dist: string, files: readonly string[]): readonly string[] {
  const sums = new Map<string, string>();
  try {
    for (const line of readFileSync(join(dist, 'SHA256SUMS'), 'utf8').split('\n')) {
      const [, digest, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
      if (digest !== undefined && name !== undefined) sums.set(name.replace(/^\.\//, ''), digest);
    }
  } catch (error) {
    return [`SHA256SUMS can't be read: ${error instanceof Error ? error.message : String(error)}`];
  }
  return files.flatMap((file) => {
    const wanted = sums.get(file);
    if (wanted === undefined) return [`${file} is not in SHA256SUMS`];
    const found = digestOf(join(dist, file));
    return found === wanted ? [] : [`${file}: found ${found}, expected ${wanted}`];
  });
}

function digestOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
