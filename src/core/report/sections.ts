// What the tables of the job summary have in common.
import type { Row } from './aggregate.ts';
import { destinationText } from './destination.ts';
import { cell, code, table } from './markdown.ts';

/** Rows a table shows; the log has them all. */
export const MAX_ROWS = 200;
/** Ancestors a cell shows; those of one name, one behind the other, are one. */
const MAX_ANCESTORS = 3;

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

/** Which process, in a cell: by the name that it gives itself, and its file where that is another. */
export function who(row: Row): string {
  const { process, origin, pid } = row;
  if (process === '' && origin === 'container') return 'container';
  if (process === '' && pid === 0) return 'not known';
  const name = process === '' ? '–' : code(process);
  return pid === 0 ? name : `${name} ${pid}${program(row)}`;
}

/** Neighbours of one name are one. */
function runs(
  names: readonly string[],
): readonly { readonly name: string; readonly count: number }[] {
  return names.flatMap((name, index) => {
    if (index > 0 && names[index - 1] === name) return [];
    const end = names.findIndex((other, at) => at > index && other !== name);
    return { name, count: (end < 0 ? names.length : end) - index };
  });
}

/** The same with its ancestors below it, the parent first. */
export function whoAndWhence(row: Row): string {
  const all = runs(row.ancestors);
  if (all.length === 0) return who(row);
  const near = all
    .slice(0, MAX_ANCESTORS)
    .map(({ name, count }) => `←&nbsp;${code(name)}${count > 1 ? `&nbsp;×${count}` : ''}`);
  return [`${who(row)}<br>`, ...near, ...(all.length > MAX_ANCESTORS ? ['←&nbsp;…'] : [])].join(
    ' ',
  );
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
