// What the tables of the job summary have in common.
import { MAX_ANCESTORS, type Row } from './aggregate.ts';
import { destinationText } from './destination.ts';
import { cell, code, table } from './markdown.ts';

/** Rows a table shows; the log has them all. */
export const MAX_ROWS = 200;

/** Where to, in a cell. */
export function destination({ host, address, port }: Row): string {
  return code(destinationText(host, address, port));
}

/** The file, where the process does not call itself by its name. */
function program({ process, exe }: Row): string {
  if (exe === undefined) return '';
  const { name = '', deleted } = exe;
  if (deleted === true) return ` (deleted ${code(name)})`;
  return process !== '' && name.startsWith(process) ? '' : ` (${code(name)})`;
}

/** Which process, in a cell: by the names that they give themselves, its file where that is another. */
export function who(row: Row): string {
  const process = row.process === '' ? '–' : code(row.process);
  return row.pid === 0 ? process : `${process} ${row.pid}${program(row)}`;
}

/** The same with its ancestors, the parent first. */
export function whoAndWhence(row: Row): string {
  const near = row.ancestors.slice(0, MAX_ANCESTORS).map((name) => ` ← ${code(name)}`);
  return `${who(row)}${near.join('')}${row.ancestors.length > MAX_ANCESTORS ? ' ← …' : ''}`;
}

/** When first, in a cell: the time of day. */
export function time(row: Row): string {
  return cell(row.firstSeen.slice(11, 19));
}

/** Who sent most comes first, then who tried most. */
function limited(rows: readonly Row[]): readonly Row[] {
  return rows
    .toSorted((one, other) => other.bytes - one.bytes || other.count - one.count)
    .slice(0, MAX_ROWS);
}

/** A table under its title; none without rows. */
export function section(
  title: string,
  heads: readonly string[],
  rows: readonly Row[],
  line: (row: Row) => readonly string[],
): string[] {
  if (rows.length === 0) return [];
  const more = rows.length > MAX_ROWS ? `\n\n_${rows.length - MAX_ROWS} more are in the log._` : '';
  return [`### ${title}\n\n${table(heads, limited(rows).map(line))}${more}`];
}
