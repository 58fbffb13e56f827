// The job summary (spec 11): what an engineer wants to know first comes first.
import { lossInWords } from '../audit/losses.ts';
import { isJobs, type Report, type Row } from './aggregate.ts';
import { allowedSections, autoAllowedRules, largeUploadLine } from './allowed.ts';
import { limitsOf } from './limits.ts';
import { cell, code, fitSections, table } from './markdown.ts';
import { destination, MAX_ROWS, section, time, who, whoAndWhence } from './sections.ts';
import { renderEntry, suggestForConnection, suggestForName, suggestPolicy } from './suggest.ts';

/** What the log doesn't tell. */
export interface SummaryFacts {
  readonly mode: 'audit' | 'enforce';
  /** The start was proved, in mode enforce. */
  readonly enforcing: boolean;
  /** sudo-lockdown was proved. */
  readonly isLockedDown: boolean;
  readonly artifactName: string;
  /** What went wrong with the evidence itself; empty when nothing did. */
  readonly problems: readonly string[];
}

function sum(rows: readonly Row[]): number {
  return rows.reduce((total, row) => total + row.count, 0);
}

function destinations(count: number): string {
  return `${count} ${count === 1 ? 'destination' : 'destinations'}`;
}

/** What the tables of refusals are called: in mode audit nothing was blocked. */
const TITLES = {
  enforce: {
    connections: 'Blocked connections',
    names: 'Blocked names',
    others: 'Blocked: runner and system processes',
  },
  audit: {
    connections: 'Connections that would be blocked',
    names: 'Names that would be blocked',
    others: 'Would be blocked: runner and system processes',
  },
} as const;

function headline(report: Report, facts: SummaryFacts): string {
  const refused = report.blocked.length + report.dns.length;
  if (report.started === undefined) {
    return '## cargowall: the log is missing\n\n**What this job connected to is not known.** The audit log could not be read.';
  }
  if (facts.mode === 'audit') {
    const would = refused === 0 ? 'nothing' : destinations(refused);
    return `## cargowall recorded, and refused nothing (mode audit)\n\nIn mode enforce, **${would}** would have been blocked.`;
  }
  if (!facts.enforcing) return '## cargowall was not enforcing';
  if (refused === 0) return '## cargowall enforced the policy: nothing was blocked';
  return `## cargowall enforced the policy: ${destinations(refused)} blocked`;
}

function counts(report: Report, { mode }: SummaryFacts): string {
  const row = (what: string, rows: readonly Row[]) => [
    what,
    String(rows.filter((one) => one.count > 0).length),
    String(sum(rows)),
  ];
  const rows = [
    row(TITLES[mode].connections.toLowerCase(), report.blocked),
    row(TITLES[mode].names.toLowerCase(), report.dns),
    ...(report.expected.length === 0 ? [] : [row('expected blocks', report.expected)]),
    row('allowed connections', report.allowed),
    row('existing connections', report.existing),
  ];
  const { superseded } = report;
  const late =
    superseded === 0
      ? ''
      : `\n\n${superseded} more refused first and then allowed by a later answer, listed under Allowed.`;
  return `${table(['', 'destinations', 'attempts'], rows)}${late}`;
}

function lossLines(report: Report): string[] {
  const lost = Object.entries(report.ended?.lost ?? {}).filter(([, number]) => number > 0);
  const lines = lost.map(([what, number]) => `- ${number} ${cell(lossInWords(what))}`);
  if (report.badLines.length > 0) {
    lines.push(`- ${report.badLines.length} lines of the log that could not be read`);
  }
  if (report.beyondRows > 0) {
    lines.push(`- ${report.beyondRows} attempts of further destinations, in the log alone`);
  }
  return lines.length === 0
    ? []
    : [`**Not everything could be kept or served:**\n\n${lines.join('\n')}`];
}

function entry(suggestion: ReturnType<typeof suggestForName>, row: Row): string {
  if (row.rule !== '') return `denied by ${code(row.rule)}`;
  return suggestion === undefined ? '–' : code(renderEntry(suggestion));
}

/** What a reader should know of the tables. */
const NAMES_ARE_THEIRS =
  '_Processes are shown by the names they give themselves, with their nearest ancestors below, the parent first, and in brackets a program file of another name. The log has up to eight of them, and the device and inode number of each file._';

function blockedSections(report: Report, { mode }: SummaryFacts): string[] {
  const titles = TITLES[mode];
  const heads = [
    'destination',
    'protocol',
    'status',
    'process',
    'attempts',
    'first seen',
    'rule that would allow it',
  ];
  const line = (row: Row) => [
    destination(row),
    cell(row.protocol),
    row.status,
    whoAndWhence(row),
    String(row.count),
    time(row),
    entry(suggestForConnection(row), row),
  ];
  const jobs = report.blocked.filter(isJobs);
  const others = report.blocked.filter((row) => !isJobs(row));
  const nameHeads = [
    'name',
    'status',
    'process',
    'questions',
    'first seen',
    'rule that would allow it',
  ];
  const names = section(titles.names, nameHeads, report.dns, (row) => [
    destination(row),
    row.status,
    whoAndWhence(row),
    String(row.count),
    time(row),
    entry(suggestForName(row), row),
  ]);
  const sections = [
    ...section(titles.connections, heads, jobs, line),
    ...names,
    ...section(titles.others, [...heads, 'whose'], others, (row) => [
      ...line(row),
      cell(row.origin),
    ]),
  ];
  return sections.length === 0 ? [] : [...sections, ...pasteReady(report), NAMES_ARE_THEIRS];
}

function pasteReady(report: Report): string[] {
  const policy = suggestPolicy(report, MAX_ROWS);
  if (policy === undefined) return [];
  return [
    '**To allow one of these,** add its rule to `allowed-hosts`, an address to `allowed-cidrs`; or use what you mean of this file as `config-file`:',
    `<details><summary>A policy that allows all of it – keep the lines you mean</summary>\n\n\`\`\`yaml\n${policy}\`\`\`\n\n</details>`,
  ];
}

function expectedSection(report: Report): string[] {
  const heads = ['destination', 'protocol', 'status', 'process', 'attempts', 'first seen'];
  return section('Expected blocks', heads, report.expected, (row) => [
    destination(row),
    cell(row.protocol === '' ? 'DNS' : row.protocol),
    row.status,
    who(row),
    String(row.count),
    time(row),
  ]);
}

function existingSection(report: Report): string[] {
  const heads = ['destination', 'protocol', 'process', 'whose', 'status'];
  return section('Open before the start', heads, report.existing, (row) => [
    destination(row),
    cell(row.protocol),
    who(row),
    cell(row.origin),
    EXISTING[row.status],
  ]);
}

const EXISTING: Readonly<Record<Row['status'], string>> = {
  allowed: 'went on',
  'late allowed': 'went on',
  blocked: 'closed',
  'would be blocked': 'would be closed',
};

function incidents(report: Report, facts: SummaryFacts): string[] {
  const lines = [
    ...facts.problems.map((problem) => `- ${cell(problem)}`),
    ...report.incidents.map(
      ({ timestamp, kind, reason }) =>
        `- ${cell(timestamp.slice(11, 19))} ${cell(kind)}: ${cell(reason)}`,
    ),
  ];
  if (report.started !== undefined && report.ended === undefined) {
    lines.push('- The log was not sealed: what came last may be missing.');
  }
  return lines.length === 0 ? [] : [`> [!WARNING]\n${lines.map((line) => `> ${line}`).join('\n')}`];
}

function footer(report: Report, facts: SummaryFacts): string {
  const { started } = report;
  const file =
    started?.policy_file === undefined
      ? ''
      : ` Policy file ${code(started.policy_file)}, SHA-256 ${code(started.policy_sha256 ?? '')}.`;
  const artifact =
    facts.artifactName === ''
      ? ''
      : ` The whole log is in the artifact ${code(facts.artifactName)}.`;
  const limits = limitsOf(report, facts.isLockedDown).join(', ');
  return `_mode ${facts.mode}, default ${started?.default ?? 'unknown'}, ${started?.rules ?? 0} rules (auto-allowed ones included), ${report.records} records.${file}${artifact} Limits of docs/threat-model.md that apply: ${limits}._`;
}

/** The summary's Markdown. */
export function renderSummary(report: Report, facts: SummaryFacts): string {
  const known = report.started !== undefined;
  return fitSections([
    headline(report, facts),
    ...incidents(report, facts),
    ...(known ? [counts(report, facts)] : []),
    ...lossLines(report),
    ...largeUploadLine(report),
    ...blockedSections(report, facts),
    ...expectedSection(report),
    ...allowedSections(report),
    ...existingSection(report),
    ...autoAllowedRules(report),
    footer(report, facts),
  ]);
}
