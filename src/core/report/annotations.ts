// Annotations: at most ten a job, one a destination, refusals only.
import type { Report, Row } from './aggregate.ts';
import { destinationText } from './destination.ts';
import { sanitise } from './sanitise.ts';

const MAX = 10;

/** The texts, most frequent first; the last one says how many are left out. */
export function renderAnnotations(report: Report): readonly string[] {
  const rows = [...report.blocked, ...report.dns].sort((one, other) => other.count - one.count);
  const texts = new Set(rows.map(text));
  if (texts.size <= MAX) return [...texts];
  const kept = [...texts].slice(0, MAX - 1);
  return [...kept, `cargowall: ${texts.size - kept.length} more destinations, see the job summary`];
}

function text(row: Row): string {
  const host = destinationText(row.host, row.address, 0);
  const port = row.port === 0 ? '' : ` port ${row.port}`;
  const process = row.process === '' ? '' : ` by ${row.process}`;
  return sanitise(`cargowall: ${row.status}: ${host}${port}${process}`);
}
