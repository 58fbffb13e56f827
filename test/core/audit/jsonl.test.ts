import fc from 'fast-check';
import { expect, test } from 'vitest';
import { consoleJson } from '../../../src/core/audit/console-json.ts';
import { type AuditEvent, isConnectionAllowed } from '../../../src/core/audit/event.ts';
import { decodeLog, encodeRecord } from '../../../src/core/audit/jsonl.ts';

const EVENT: AuditEvent = {
  reason: 'proof',
  blocked: true,
  would_deny: false,
  pid: 0,
  process: '',
  dst_port: 443,
  dst_ip: '198.51.100.20',
  event_type: 'connection_blocked',
  timestamp: '2026-11-24T06:35:00.000000001Z',
};

test("a line has the contract's order, leaves out what is empty, and always has the flags", () => {
  expect(encodeRecord(EVENT)).toBe(
    '{"timestamp":"2026-11-24T06:35:00.000000001Z","event_type":"connection_blocked",' +
      '"dst_ip":"198.51.100.20","dst_port":443,"would_deny":false,"blocked":true,"reason":"proof"}\n',
  );
});

test('a log is read back; what is no record is named by its line', () => {
  const line = encodeRecord(EVENT);
  const text = `${line}not json\n{"event_type":"something"}\n${line}${line.slice(0, 20)}`;
  const { records, badLines } = decodeLog(text);
  expect(records).toHaveLength(2);
  expect(badLines).toEqual([2, 3, 5]);
});

test('hostile text stays inside its string', () => {
  const process = '"\n::set-output\u2028';
  const line = encodeRecord({ ...EVENT, process });
  expect(line.trimEnd()).not.toContain('\n');
  expect(decodeLog(line).records[0]).toMatchObject({ process });
});

test('whatever a text holds, the line says what a serialiser says', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const line = encodeRecord({ ...EVENT, process: text });
      expect(line).toContain(text === '' ? '' : `"process":${consoleJson(text)},`);
      expect(decodeLog(line)).toMatchObject({ badLines: [], records: [{ dst_port: 443 }] });
    }),
    { numRuns: 2000 },
  );
});

test('allowed kinds', () => {
  expect(isConnectionAllowed('connection_late_allowed')).toBe(true);
  expect(isConnectionAllowed('existing_connection')).toBe(false);
});
