// Markdown that hostile text can't break out of, within GitHub's limit.
import { sanitise } from './sanitise.ts';

/** GitHub takes at most 1 MiB a step; some room is left for the line that says what was cut. */
const MAX_BYTES = 1024 * 1024 - 4096;
const MAX_CELL = 300;

/** An IPv6 address, maybe with brackets and ports: `::` in it is no workflow command. */
const IPV6 = /^\[?[0-9a-f:]*[0-9a-f:.]*\]?(?::\d{1,5}(?:\/udp)?)?$/u;

/** One cell: no Markdown, HTML, mention, link or workflow command can be made of it. */
export function cell(text: string): string {
  const line = IPV6.test(text) ? text : sanitise(text);
  const short = line.length > MAX_CELL ? `${line.slice(0, MAX_CELL)}…` : line;
  const escaped = short.replace(
    /[&<>"'`|\\*_[\]()#!~@$^{}]/g,
    (found) => `&#${found.codePointAt(0)};`,
  );
  // GitHub makes links of bare `www.` and `://`, inside code elements too.
  return escaped.replace(/(www)\./giu, '$1&#46;').replaceAll('://', '&#58;//');
}

/** A cell in code type. */
export function code(text: string): string {
  return text === '' ? '' : `<code>${cell(text)}</code>`;
}

/** A table; cells must have been made by `cell` or `code`. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = line(heads.map(() => '---'));
  return [line(heads), rule, ...rows.map(line)].join('\n');
}

/** Sections in order; those that don't fit are left out, and a line says so. */
export function fitSections(sections: readonly string[]): string {
  const kept: string[] = [];
  let size = 0;
  for (const section of sections) {
    const bytes = new TextEncoder().encode(section).length + 2;
    if (size + bytes > MAX_BYTES) continue;
    size += bytes;
    kept.push(section);
  }
  const cut = sections.length - kept.length;
  if (cut > 0) {
    kept.push(
      `_${cut} sections are left out: a summary takes 1 MiB. The artifact has everything._`,
    );
  }
  return `${kept.join('\n\n')}\n`;
}
