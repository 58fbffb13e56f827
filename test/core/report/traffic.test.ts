import { describe, expect, test } from 'vitest';
import type {
  AuditEvent,
  AuditRecord,
  SessionEnded,
  Traffic,
} from '../../../src/core/audit/event.ts';
import { aggregate } from '../../../src/core/report/aggregate.ts';
import { bytesText } from '../../../src/core/report/traffic.ts';

const AT = {
  timestamp: '2026-11-24T06:35:00.000000000Z',
  would_deny: false,
  blocked: false,
} as const;
const TO = { dst_ip: '198.51.100.10', dst_hostname: 'a.example', dst_port: 443, protocol: 'TCP' };

function allowed(changed: Partial<AuditEvent> = {}): AuditEvent {
  const who = { process: 'npm', pid: 7, origin: 'job', matched_rule: 'a.example' } as const;
  return { ...AT, event_type: 'connection_allowed', ...TO, ...who, ...changed };
}

function traffic(bytes_out: number, changed: Partial<Traffic> = {}): Traffic {
  const who = { process: 'npm', origin: 'job', matched_rule: 'a.example' } as const;
  const decision = { auto_allowed_type: '', decided_by: 'grant' };
  return { ...AT, event_type: 'traffic', ...TO, ...who, ...decision, bytes_out, ...changed };
}

const SEALED: SessionEnded = {
  ...AT,
  event_type: 'session_ended',
  mode: 'enforce',
  totals: { bytes_out: 0 },
  lost: {},
};

/** Process, connections and bytes of the allowed rows. */
function rows(...records: readonly AuditRecord[]) {
  const { allowed: all } = aggregate({ records, badLines: [] });
  return all.map(({ process, count, bytes }) => [process, count, bytes]);
}

describe('bytes belong to', () => {
  test('the row of their process, whatever the address of the name', () => {
    const other = { dst_ip: '198.51.100.11' };
    expect(
      rows(allowed(), allowed({ process: 'curl' }), traffic(5), traffic(6, other), SEALED),
    ).toEqual([
      ['npm', 1, 11],
      ['curl', 1, 0],
    ]);
  });

  test('a row of its own rule rather than another', () => {
    const late = allowed({ event_type: 'connection_late_allowed', matched_rule: 'b.example' });
    expect(rows(late, allowed(), traffic(5), SEALED)).toEqual([
      ['npm', 1, 0],
      ['npm', 1, 5],
    ]);
  });

  test('the only row of their destination, when no process is known', () => {
    const container = { origin: 'container', process: 'npm' } as const;
    const wall = traffic(5, { origin: 'container', process: '' });
    expect(rows(allowed(container), wall, SEALED)).toEqual([['npm', 1, 5]]);
    expect(rows(allowed(container), allowed({ ...container, process: 'b' }), wall, SEALED)).toEqual(
      [
        ['npm', 1, 0],
        ['b', 1, 0],
        ['', 0, 5],
      ],
    );
  });

  test('a row without connections, when there is none', () => {
    expect(rows(traffic(5), SEALED)).toEqual([['npm', 0, 5]]);
  });

  test('nobody, when enforce would have refused them', () => {
    expect(rows(allowed(), traffic(5, { would_deny: true }), SEALED)).toEqual([['npm', 1, 0]]);
  });
});

test('the last seal says what was sent in all', () => {
  const records = [allowed(), traffic(5), SEALED, traffic(8), SEALED, traffic(9)];
  expect(rows(...records)).toEqual([['npm', 1, 8]]);
});

test('a log that is not sealed does not know', () => {
  const known = (...records: AuditRecord[]) => aggregate({ records, badLines: [] }).bytesKnown;
  expect(known(allowed(), traffic(5))).toBe(false);
  expect(known(allowed(), traffic(5), SEALED)).toBe(true);
  expect(known(allowed(), { ...SEALED, totals: {} })).toBe(false);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [5_000_000, '5.0 MB'],
  [999_999, '1000.0 kB'],
  [2_340_000_000, '2.3 GB'],
  [7.5e12, '7.5 TB'],
])('%i bytes are written as %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
