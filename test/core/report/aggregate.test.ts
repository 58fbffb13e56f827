import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import { aggregate, ReportBuilder } from '../../../src/core/report/aggregate.ts';

const BLOCKED: AuditEvent = {
  timestamp: '2026-11-24T06:35:05.000000000Z',
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
const LATE: AuditEvent = { ...BLOCKED, event_type: 'connection_late_allowed', blocked: false };
const EARLIER = '2026-11-24T06:35:04.000000000Z';
const LATER = '2026-11-24T06:35:06.000000000Z';

function reportOf(...records: AuditEvent[]) {
  return aggregate({ records, badLines: [] });
}

describe('a late allow', () => {
  test('supersedes the blocks of its flow at or before it', () => {
    const report = reportOf({ ...BLOCKED, timestamp: EARLIER, count: 3 }, BLOCKED, LATE);
    expect(report.blocked).toEqual([]);
    expect(report.superseded).toBe(4);
    expect(report.allowed).toMatchObject([{ status: 'late allowed', count: 1 }]);
  });

  test('supersedes a block that is written behind it but happened before', () => {
    expect(reportOf(LATE, { ...BLOCKED, timestamp: EARLIER }).blocked).toEqual([]);
  });

  test('leaves later blocks, in whichever order they were written', () => {
    const later = { ...BLOCKED, timestamp: LATER };
    expect(reportOf(LATE, later).blocked).toMatchObject([{ count: 1 }]);
    expect(reportOf(later, LATE).blocked).toMatchObject([{ count: 1 }]);
  });

  test.each([
    ['address', { dst_ip: '198.51.100.21' }],
    ['port', { dst_port: 80 }],
    ['protocol', { protocol: 'UDP' }],
  ])('says nothing of another %s', (_what, other) => {
    expect(reportOf({ ...BLOCKED, ...other }, LATE).blocked).toHaveLength(1);
  });

  test('takes back one address of a name, not the name', () => {
    const named = { ...BLOCKED, dst_hostname: 'a.example.com' };
    const other = { ...named, dst_ip: '198.51.100.21' };
    expect(reportOf(named, other, LATE).blocked).toMatchObject([
      { address: '198.51.100.21', count: 1 },
    ]);
  });
});

test('what has no address is told apart by its kind', () => {
  const { dst_ip: _ip, dst_port: _port, ...rest } = BLOCKED;
  const kinds = ['AF_PACKET', 'AF_XDP', '0x88cc'].map(
    (reason) =>
      ({ ...rest, event_type: 'protocol_blocked', protocol: 'Protocol-255', reason }) as const,
  );
  expect(reportOf(...kinds).blocked.map(({ address }) => address)).toEqual([
    'AF_PACKET',
    'AF_XDP',
    '0x88cc',
  ]);
});

test('addresses of one name are one destination', () => {
  const named = { ...BLOCKED, dst_hostname: 'a.example.com' };
  const report = reportOf(named, { ...named, dst_ip: '198.51.100.21', count: 2 });
  expect(report.blocked).toMatchObject([{ host: 'a.example.com', count: 3 }]);
});

test('a million destinations keep a bounded number of rows, and every attempt is counted', () => {
  const builder = new ReportBuilder();
  for (let index = 0; index < 1_000_000; index++) {
    builder.add({ ...BLOCKED, dst_ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` });
  }
  const report = builder.build([]);
  const kept = report.blocked.reduce((sum, row) => sum + row.count, 0);
  expect(report.blocked.length).toBeLessThan(50_000);
  expect(kept + report.beyondRows).toBe(1_000_000);
});
