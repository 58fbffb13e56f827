// The sections of what was allowed, with the bytes that were sent.
import { LARGE_UPLOAD_BYTES } from '../audit/traffic.ts';
import { isJobs, type Report, type Row } from './aggregate.ts';
import { cell, code, table } from './markdown.ts';
import { destination, section, time, who } from './sections.ts';
import { bytesText } from './traffic.ts';

const MAX_LARGE = 10;

/** What the job has sent to single hosts, where it is much. */
export function largeUploadLine({ largeUploads }: Report): string[] {
  if (largeUploads.length === 0) return [];
  const hosts = largeUploads
    .slice(0, MAX_LARGE)
    .map(({ host, bytes }) => `${code(host)} (${bytesText(bytes)})`);
  const rest = largeUploads.length - hosts.length;
  const more = rest > 0 ? `, and ${rest} more` : '';
  const limit = `${LARGE_UPLOAD_BYTES / 1_000_000} MB`;
  return [`**The job sent more than ${limit} to one host:** ${hosts.join(', ')}${more}.`];
}

function bytes(row: Row, report: Report): string {
  return report.bytesKnown ? bytesText(row.bytes) : '–';
}

/** Allowed connections: the job's, auto-allowed ones, and those of others. */
export function allowedSections(report: Report): string[] {
  const heads = [
    'destination',
    'protocol',
    'process',
    'connections',
    'bytes out',
    'first seen',
    'rule',
  ];
  const line = (row: Row) => [
    destination(row),
    row.status === 'allowed' ? cell(row.protocol) : `${cell(row.protocol)} (${row.status})`,
    who(row),
    row.count === 0 ? '–' : String(row.count),
    bytes(row, report),
    row.count === 0 ? '–' : time(row),
    code(row.rule),
  ];
  const isAuto = (row: Row) => row.autoAllowedType !== '';
  const users = report.allowed.filter((row) => !isAuto(row) && isJobs(row));
  const autos = report.allowed.filter(isAuto);
  const others = report.allowed.filter((row) => !isAuto(row) && !isJobs(row));
  // Without time and rule the table fits into a page; the rules are listed below.
  const autoHeads = [...heads.slice(0, -2), 'type'];
  return [
    ...section('Allowed', heads, users, line),
    ...section('Auto-allowed', autoHeads, autos, (row) => [
      ...line(row).slice(0, -2),
      cell(row.autoAllowedType),
    ]),
    ...section('Runner and system processes', [...heads, 'whose'], others, (row) => [
      ...line(row),
      cell(row.origin),
    ]),
  ];
}

/** What nobody asked for, whether or not it was used. */
export function autoAllowedRules(report: Report): string[] {
  const groups = [...(report.started?.auto_allowed ?? [])];
  const further = report.ended?.runner_accounts ?? [];
  if (further.length > 0) {
    const targets = further.map((name) => `=${name}:443/tcp`);
    groups.push({ type: 'github_service', whose: 'the runner', targets });
  }
  if (groups.length === 0) return [];
  const rows = groups.map(({ type, whose, targets }) => [
    cell(type),
    whose,
    targets.map(code).join(' '),
  ]);
  return [
    `<details><summary>What is auto-allowed</summary>\n\n${table(['type', 'for', 'what'], rows)}\n\n</details>`,
  ];
}
