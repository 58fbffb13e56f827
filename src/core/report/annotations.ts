// Annotations: at most ten a job, one a destination, refusals only.
import type { Report, Row } from './aggregate.ts';
import { destinationText } from './destination.ts';
import { sanitise } from './sanitise.ts';

const MAX = 10;

/** The texts, most frequent first; the last one says how many are left out. */
export function renderAnnotations(report: Report): readonly string[] {
  const destinations = new Map<string, Told>();
  for (const row of [...report.blocked, ...report.dns]) {
    const where = whereOf(row);
    const told = destinations.get(where) ?? { where, status: row.status, by: new Set(), count: 0 };
    if (row.process !== '') told.by.add(row.process);
    told.count += row.count;
    destinations.set(where, told);
  }
  const most = [...destinations.values()].sort((one, other) => other.count - one.count);
  if (most.length <= MAX) return most.map(text);
  const kept = most.slice(0, MAX - 1);
  const more = most.length - kept.length;
  return [...kept.map(text), `cargowall: ${more} more destinations, see the job summary`];
}

/** A destination, whoever tried it. */
interface Told {
  readonly where: string;
  readonly status: Row['status'];
  readonly by: Set<string>;
  count: number;
}

function whereOf({ host, address, port }: Row): string {
  const name = destinationText(host, address, 0);
  return port === 0 ? name : `${name} port ${port}`;
}

function text({ where, status, by }: Told): string {
  const [first, ...others] = by;
  const process = first === undefined ? '' : ` by ${first}`;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return sanitise(`cargowall: ${status}: ${where}${process}${more}`);
}
