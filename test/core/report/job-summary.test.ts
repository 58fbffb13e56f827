import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditEvent, AuditRecord } from '../../../src/core/audit/event.ts';
import { aggregate } from '../../../src/core/report/aggregate.ts';
import { renderAnnotations } from '../../../src/core/report/annotations.ts';
import { renderSummary } from '../../../src/core/report/job-summary.ts';
import { suggestPolicy } from '../../../src/core/report/suggest.ts';

const STARTED: AuditRecord = {
  timestamp: '2026-11-24T06:35:00.000000000Z',
  event_type: 'session_started',
  would_deny: false,
  blocked: false,
  schema: 1,
  mode: 'enforce',
  default: 'deny',
  rules: 3,
  upstreams: ['192.0.2.53 port 53'],
  clock_offset_ns: '0',
};
const BLOCKED: AuditEvent = {
  timestamp: '2026-11-24T06:35:01.000000000Z',
  event_type: 'connection_blocked',
  dst_ip: '198.51.100.20',
  dst_port: 443,
  protocol: 'TCP',
  process: 'curl',
  pid: 7,
  would_deny: false,
  blocked: true,
  origin: 'job',
};
const FACTS = {
  mode: 'enforce',
  enforcing: true,
  isLockedDown: false,
  artifactName: 'log',
  problems: [],
} as const;

function reportOf(...records: AuditRecord[]) {
  return aggregate({ records, badLines: [] });
}

describe('the summary', () => {
  test('names the limit of services that were asked from outside', () => {
    const allowed = { ...BLOCKED, event_type: 'connection_allowed', blocked: false } as const;
    const inbound = { ...allowed, origin: 'system', reason: 'inbound connection' } as const;
    expect(renderSummary(reportOf(STARTED, inbound), FACTS)).toContain('L14, L15._');
    expect(renderSummary(reportOf(STARTED, allowed), FACTS)).toContain('L14._');
  });

  test('counts attempts, and groups them by destination and process', () => {
    const summary = renderSummary(reportOf(STARTED, BLOCKED, { ...BLOCKED, count: 4 }), FACTS);
    expect(summary).toContain('1 destination blocked');
    expect(summary).toContain('| blocked connections | 1 | 5 |');
    expect(summary).toContain('<code>198.51.100.20:443</code>');
  });

  test('leaves the proof out', () => {
    const summary = renderSummary(reportOf(STARTED, { ...BLOCKED, reason: 'proof' }), FACTS);
    expect(summary).toContain('nothing was blocked');
  });

  test('never says that nothing happened when the log is missing', () => {
    const summary = renderSummary(reportOf(), FACTS);
    expect(summary).toContain('What this job connected to is not known');
    expect(summary).not.toContain('nothing was blocked');
  });

  test('shows losses and problems', () => {
    const ended: AuditRecord = {
      timestamp: STARTED.timestamp,
      event_type: 'session_ended',
      would_deny: false,
      blocked: false,
      mode: 'enforce',
      totals: {},
      lost: { events: 12, flows: 0 },
    };
    const facts = { ...FACTS, problems: ['the daemon did not answer'] };
    const summary = renderSummary(reportOf(STARTED, ended), facts);
    expect(summary).toContain('- 12 attempts without a record; their verdicts stood');
    expect(summary).not.toContain('- flows');
    expect(summary).toContain('the daemon did not answer');
  });

  test('a flood of names is counted whole, by name and by number alone', () => {
    const { dst_ip: _address, dst_port: _port, ...refused } = BLOCKED;
    const name = { ...refused, event_type: 'dns_blocked', dst_hostname: 'n1.evil.test' } as const;
    const { dst_hostname: _name, ...nameless } = name;
    const report = reportOf(
      STARTED,
      name,
      { ...name, count: 99 },
      { ...nameless, count: 4000, last_seen: '2026-11-24T06:35:09.000000000Z' },
    );
    expect(report).toMatchObject({ unexpected: 4100, attempts: 4100 });
    const summary = renderSummary(report, FACTS);
    expect(summary).toContain('| blocked names | 2 | 4100 |');
    expect(summary).toMatch(/n1\.evil\.test.*\| 100 \|/u);
    expect(summary).toMatch(/no single destination.*\| 4000 \|/u);
    expect(suggestPolicy(report)).not.toContain('single');
  });

  test('tells of unusual names, whatever they are made of', () => {
    const unusual: AuditRecord = {
      timestamp: STARTED.timestamp,
      event_type: 'dns_unusual',
      matched_rule: 'ok.example',
      would_deny: false,
      blocked: false,
      reason: '412 names that ok.example allows were asked for; the last one was <b>|x.ok.example',
      names: 412,
      bytes: 2100,
      longest_label: 60,
      example: '<b>|x.ok.example',
    };
    const summary = renderSummary(reportOf(STARTED, unusual), FACTS);
    expect(summary).toContain('dns&#95;unusual');
    expect(summary).toContain('412 names');
    expect(summary).not.toContain('<b>');
  });

  test('of mode audit calls nothing blocked that was not', () => {
    const would = { ...BLOCKED, would_deny: true, blocked: false };
    const name = { ...would, event_type: 'dns_blocked', dst_hostname: 'a.example.com' } as const;
    const system = { ...would, origin: 'system', dst_port: 123 } as const;
    const facts = { ...FACTS, mode: 'audit', enforcing: false } as const;
    const summary = renderSummary(reportOf(STARTED, would, name, system), facts);
    expect(summary).toContain('| connections that would be blocked | 2 | 2 |');
    expect(summary).toContain('| names that would be blocked | 1 | 1 |');
    expect(summary).toContain('### Connections that would be blocked\n');
    expect(summary).toContain('### Names that would be blocked\n');
    expect(summary).toContain('### Would be blocked: runner and system processes\n');
    expect(summary).not.toMatch(/(?<!be |been )blocked/iu);
    const [one] = renderSummary(reportOf(STARTED, would), facts).match(/In mode .*/u) ?? [];
    expect(one).toBe('In mode enforce, **1 destination** would have been blocked.');
  });

  test('says where the rule goes that would allow what was blocked', () => {
    const where = 'add its rule to `allowed-hosts`, an address to `allowed-cidrs`';
    expect(renderSummary(reportOf(STARTED, BLOCKED), FACTS)).toContain(where);
    expect(renderSummary(reportOf(STARTED), FACTS)).not.toContain('add its rule');
  });

  test('a destination that a rule denies is not offered for allowing', () => {
    const denied = { ...BLOCKED, matched_rule: '198.51.100.0/24' };
    const summary = renderSummary(reportOf(STARTED, denied), FACTS);
    expect(summary).toContain('denied by');
    expect(summary).not.toContain('add its rule');
    expect(suggestPolicy(reportOf(STARTED, denied))).toBeUndefined();
  });

  test('stays below 1 MiB and says what was cut', () => {
    const many = Array.from({ length: 5000 }, (_, index) => ({
      ...BLOCKED,
      dst_hostname: `${'x'.repeat(200)}${index}.example.com`,
    }));
    const summary = renderSummary(reportOf(STARTED, ...many), FACTS);
    expect(new TextEncoder().encode(summary).length).toBeLessThan(1024 * 1024);
    expect(summary).toMatch(/more are in the log|left out/);
  });

  test('shows a process with the file it calls itself otherwise than, and its ancestors', () => {
    const exe = { dev: '8:1', ino: '42', name: 'python3.11' };
    const named = (...names: string[]) =>
      names.map((process, index) => ({ pid: 16 - index, start_ticks: 1, process }));
    const ancestry = named('bash', 'node', 'sh', 'Runner.Worker');
    const whoIs = (more: Partial<AuditEvent>) =>
      renderSummary(reportOf(STARTED, { ...BLOCKED, ...more }), FACTS)
        .split('\n')
        .find((line) => line.includes('TCP | blocked'))
        ?.split(' | ')[3];
    expect(whoIs({ process: 'Runner.Worker', exe, ancestry })).toBe(
      '<code>Runner.Worker</code> 7 (<code>python3.11</code>)<br> ←&nbsp;<code>bash</code> ←&nbsp;<code>node</code> ←&nbsp;<code>sh</code> ←&nbsp;…',
    );
    const alike = named('node', 'node', 'node', 'bash', 'node', 'node');
    expect(whoIs({ process: 'python3', exe, ancestry: alike })).toBe(
      '<code>python3</code> 7<br> ←&nbsp;<code>node</code>&nbsp;×3 ←&nbsp;<code>bash</code> ←&nbsp;<code>node</code>&nbsp;×2',
    );
    expect(whoIs({ process: '', pid: 0, origin: 'container' })).toBe('container');
    expect(whoIs({ process: '', pid: 0, origin: 'unknown' })).toBe('not known');
    expect(whoIs({ process: 'python3', exe, ancestry: ancestry.slice(3) })).toBe(
      '<code>python3</code> 7<br> ←&nbsp;<code>Runner.Worker</code>',
    );
    const memory = { ...exe, name: 'memfd:python3', deleted: true } as const;
    expect(whoIs({ process: 'python3', exe: memory })).toBe(
      '<code>python3</code> 7 (deleted <code>memfd:python3</code>)',
    );
  });

  test('tells programs of one name apart', () => {
    const of = (ino: string) => ({ ...BLOCKED, exe: { dev: '8:1', ino } });
    expect(reportOf(STARTED, of('1'), of('2'), of('1')).blocked.map(({ count }) => count)).toEqual([
      2, 1,
    ]);
  });

  test('no text of the log breaks out of its cell', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const name = `${text}|\n::error::<script>`;
        const hostile = {
          ...{ ...BLOCKED, process: name, dst_hostname: text },
          exe: { dev: '8:1', ino: '42', name: `x${name}` },
          ancestry: [{ pid: 6, start_ticks: 1, process: name }],
        };
        const row = renderSummary(reportOf(STARTED, hostile), FACTS)
          .split('\n')
          .filter((line) => line.includes('TCP | blocked'));
        expect(row).toHaveLength(1);
        expect(row[0]?.split('|')).toHaveLength(9);
        expect(row[0]).not.toContain('<script');
        expect(row[0]).not.toContain('::error');
      }),
    );
  });
});

test('the suggested policy has one rule a destination, and only canonical names', () => {
  const dns: AuditEvent = { ...BLOCKED, event_type: 'dns_blocked', dst_hostname: 'a.example.com' };
  const named = { ...BLOCKED, dst_hostname: 'b.example.com' };
  const hostile = { ...dns, dst_hostname: 'x"\n  - host: evil' };
  expect(suggestPolicy(reportOf(STARTED, dns, named, BLOCKED, hostile))).toBe(
    'version: 1\nrules:\n  - host: "=b.example.com"\n    ports: [443]\n' +
      '  - cidr: "198.51.100.20"\n    ports: [443]\n  - host: "=a.example.com"\n' +
      '    ports: [443]  # the name was refused before a port was known\n',
  );
});

test('at most ten annotations, one a destination', () => {
  const many = Array.from({ length: 30 }, (_, index) => ({ ...BLOCKED, dst_port: 1000 + index }));
  const texts = renderAnnotations(reportOf(STARTED, ...many, ...many));
  expect(texts).toHaveLength(10);
  expect(texts.at(-1)).toContain('21 more destinations');
});

test('one annotation a destination, whoever tried it', () => {
  const named = { ...BLOCKED, dst_hostname: 'a.example.com' };
  const others = ['node', 'git'].map((process) => ({ ...named, process }));
  const elsewhere = { ...BLOCKED, dst_ip: '2001:db8::1' };
  expect(renderAnnotations(reportOf(STARTED, named, ...others, elsewhere))).toEqual([
    'cargowall: blocked: a.example.com port 443 by curl and 2 more',
    'cargowall: blocked: 2001:db8::1 port 443 by curl',
  ]);
});

test('the rule that would allow ICMP is one of a file: no input can say it', () => {
  const ping = {
    ...BLOCKED,
    event_type: 'protocol_blocked',
    protocol: 'ICMP',
    dst_port: 0,
  } as const;
  const summary = renderSummary(reportOf(STARTED, ping), FACTS).replace(/&#(\d+);/gu, (_, point) =>
    String.fromCodePoint(Number(point)),
  );
  expect(summary).toContain('{ cidr: "198.51.100.20", ports: [{ protocol: icmp }] }');
});
