// The files of the artifact, in a fresh folder only the runner user can enter.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Writes the files below `temp` (the system's where it is empty); returns their folder. */
export function writeReportFiles(temp: string, files: ReadonlyMap<string, string>): string {
  const folder = mkdtempSync(join(temp === '' ? tmpdir() : temp, 'cargowall-'));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  return folder;
}

/** The text of a file; throws the system's error. */
export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
