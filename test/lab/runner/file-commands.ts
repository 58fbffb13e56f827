// The runner's file commands: what a step writes to $GITHUB_OUTPUT and its like.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMES = ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY'];

/** Fresh empty files for one step; the environment that names them. */
export function makeFiles(folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  return Object.fromEntries(
    NAMES.map((name) => {
      const path = join(folder, name.toLowerCase());
      writeFileSync(path, '');
      return [name, path];
    }),
  );
}

/** `name=value` lines and `name<<mark` blocks. */
export function readPairs(path: string | undefined): Record<string, string> {
  const pairs: Record<string, string> = {};
  const lines = readFileSync(path ?? '', 'utf8').split('\n');
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const block = /^([^=<]+)<<(.+)$/.exec(line);
    const simple = /^([^=]+)=(.*)$/.exec(line);
    if (block?.[1] !== undefined && block[2] !== undefined) {
      const end = lines.indexOf(block[2]);
      pairs[block[1]] = lines
        .splice(0, end + 1)
        .slice(0, -1)
        .join('\n');
    } else if (simple?.[1] !== undefined) {
      pairs[simple[1]] = simple[2] ?? '';
    }
  }
  return pairs;
}
