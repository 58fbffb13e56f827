// Markdown that hostile text can't break out of, within GitHub's limit.
import { sanitise } from './sanitise.ts';

/** GitHub takes at most 1 MiB a step; some room is left for the line that says what was cut. */
const MAX_BYTES = 1024 * 1024 - 4096;
const MAX_CELL = 300;
/** Inside what a renderer reads as a link in bare text, behind entities and in code elements too. */
const INSIDE_LINK = /(?<=www)(?=\.)|(?<=:)(?=\/\/)|(?=@)/iu;

/** One cell: no Markdown, HTML, mention, link or workflow command can be made of it. */
export function cell(text: string): string {
  // No renderer reads a link across an element.
  return sanitise(text, MAX_CELL).split(INSIDE_LINK).map(escaped).join('<wbr>');
}

function escaped(text: string): string {
  return text.replace(/[&<>"'`|\\*_[\]()#!~@$^{}]/g, (found) => `&#${found.codePointAt(0)};`);
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
