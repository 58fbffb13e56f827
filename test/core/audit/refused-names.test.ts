import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import {
  NAMED_A_SECOND,
  RefusedNames,
  TOLD_A_SECOND,
  TOLD_ALWAYS,
} from '../../../src/core/audit/refused-names.ts';

interface Question {
  readonly pid: number;
  readonly name: string;
  readonly source?: string;
  readonly origin?: AuditEvent['origin'];
  readonly type?: string;
  readonly reason?: string;
}

function refused({ pid, name, source, origin, type, reason }: Question, at = 0): AuditEvent {
  return {
    timestamp: String(at).padStart(9, '0'),
    event_type: 'dns_blocked',
    src_ip: source ?? '192.0.2.2',
    dst_hostname: name,
    protocol: 'UDP',
    process: 'curl',
    pid,
    would_deny: false,
    blocked: true,
    origin: origin ?? 'job',
    query_type: type ?? 'A',
    reason: reason ?? 'not allowed',
  };
}

/** Asks all within a second; everything that is told. */
function told(questions: readonly Question[], names = new RefusedNames()): readonly AuditEvent[] {
  return [...questions.flatMap((one, at) => names.note(refused(one, at), 0)), ...names.take()];
}

function repeated(count: number, question: (index: number) => Question): readonly Question[] {
  return Array.from({ length: count }, (_, index) => question(index));
}

function sum(records: readonly AuditEvent[]): number {
  return records.reduce((total, { count = 1 }) => total + count, 0);
}

const sameName = { pid: 7, name: 'evil.test' };
const newName = (index: number) => ({ pid: 7, name: `n${index}.evil.test` });

describe('one asker', () => {
  test('asks one name 10,000 times: 64 records, and one with the number of the rest', () => {
    const records = told(repeated(10_000, () => sameName));
    expect(records).toHaveLength(TOLD_A_SECOND + 1);
    expect(records.at(-1)).toMatchObject({
      dst_hostname: 'evil.test',
      timestamp: '000000064',
      count: 10_000 - TOLD_A_SECOND,
      last_seen: '000009999',
    });
  });

  test('asks 10,000 names: 64 records, 64 further names, and the rest by number alone', () => {
    const records = told(repeated(10_000, newName));
    expect(records).toHaveLength(TOLD_A_SECOND + NAMED_A_SECOND + 1);
    expect(records.slice(0, -1).map(({ dst_hostname: name }) => name)).toEqual(
      repeated(TOLD_A_SECOND + NAMED_A_SECOND, newName).map(({ name }) => name),
    );
    expect(records.at(-1)).toMatchObject({ pid: 7, count: 10_000 - 128, reason: 'not allowed' });
    expect(records.at(-1)).not.toHaveProperty('dst_hostname');
    expect(records.at(-1)).not.toHaveProperty('query_type');
  });

  test('a further name behind a flood of another is told by name in that second', () => {
    const records = told([...repeated(10_000, () => sameName), newName(1)]);
    expect(records.at(-1)).toEqual(refused(newName(1), 10_000));
  });

  test('has a new share every second', () => {
    const names = new RefusedNames();
    told(
      repeated(100, () => sameName),
      names,
    );
    expect(names.note(refused(sameName), 999)).toEqual([]);
    expect(sum(names.note(refused(sameName), 1000))).toBe(2);
    expect(names.take()).toEqual([]);
  });

  test('gets no new share from a seal in between', () => {
    const names = new RefusedNames();
    const records = repeated(10, () => sameName).map(() =>
      told(
        repeated(64, () => sameName),
        names,
      ),
    );
    expect(records.map(({ length }) => length)).toEqual([64, ...Array<number>(9).fill(1)]);
    expect(sum(records.flat())).toBe(640);
  });

  test('what differs in type, reason or rule is told apart', () => {
    const other = { ...sameName, type: 'TXT', reason: 'type' };
    const records = told([...repeated(200, () => sameName), ...repeated(3, () => other)]);
    expect(records.slice(-2)).toMatchObject([
      { count: 200 - 64, query_type: 'A' },
      { count: 3, query_type: 'TXT', reason: 'type' },
    ]);
  });
});

describe('others during a flood', () => {
  test.each([
    ['of one name', repeated(5000, () => sameName)],
    ['of ever new names', repeated(5000, newName)],
    ['by 3,000 processes', repeated(50_000, (index) => ({ ...newName(index), pid: index % 3000 }))],
    [
      'by processes nobody knows, from 20,000 addresses of loopback',
      repeated(20_000, (index) => ({
        pid: 0,
        name: `n${index}.evil.test`,
        source: `127.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      })),
    ],
  ])('%s: a process that asks once has its own record', (_what, flood) => {
    const names = new RefusedNames();
    told(flood, names);
    const needle = refused({ pid: 4711, name: 'needle.test' });
    expect(names.note(needle, 10)).toEqual([needle]);
  });

  test('a container behind the same forwarder has a share of its own', () => {
    const names = new RefusedNames();
    const behind = (source: string) => ({ pid: 9, origin: 'container', source }) as const;
    told(
      repeated(5000, (index) => ({ ...newName(index), ...behind('172.17.0.2') })),
      names,
    );
    const needle = refused({ name: 'needle.test', ...behind('172.17.0.3') });
    expect(names.note(needle, 10)).toEqual([needle]);
  });

  test('many processes share what is beyond their first 16, then one a second', () => {
    const pool = repeated(100_000, (index) => ({ ...newName(index), pid: 1 + (index % 500) }));
    const names = new RefusedNames();
    const seconds = Array.from({ length: 3 }, (_, second) =>
      pool.flatMap((one) => names.note(refused(one), second * 1000)),
    );
    const records = [...seconds.flat(), ...names.take()];
    expect(sum(records)).toBe(300_000);
    expect(seconds[0]?.length).toBe(256 + 500 * TOLD_ALWAYS);
    // the held of the second before, 256 of them by name, then the new second's own
    expect(seconds[2]?.length).toBe(256 + 500 + 256 + 500);
  });
});

describe('whoever asks what, and when', () => {
  const question = fc.record({
    pid: fc.nat(3),
    name: fc.oneof(
      fc.constant('evil.test'),
      fc.nat(300).map((n) => `n${n}.test`),
    ),
    type: fc.constantFrom('A', 'TXT'),
    reason: fc.constantFrom('not allowed', 'type'),
    afterMs: fc.constantFrom(0, 0, 0, 0, 0, 1, 400),
    times: fc.constantFrom(1, 1, 70, 200),
    isSealed: fc.boolean(),
  });

  const keyOf = ({ pid = 0, reason = '' }: AuditEvent) => `${pid} ${reason}`;

  function sums(records: readonly AuditEvent[]): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const record of records) {
      const key = keyOf(record);
      all.set(key, (all.get(key) ?? 0) + sum([record]));
    }
    return all;
  }

  test('the sum is the number of questions, of each asker and reason', () => {
    fc.assert(
      fc.property(fc.array(question, { maxLength: 60 }), (steps) => {
        const names = new RefusedNames();
        const asked: AuditEvent[] = [];
        const records: AuditEvent[] = [];
        let nowMs = 0;
        for (const { afterMs, times, isSealed, ...one } of steps) {
          nowMs += afterMs;
          const same = Array<AuditEvent>(times).fill(refused(one, nowMs));
          asked.push(...same);
          records.push(...same.flatMap((record) => names.note(record, nowMs)));
          if (isSealed) records.push(...names.take());
        }
        records.push(...names.take());
        expect(sums(records)).toEqual(sums(asked));
      }),
      { numRuns: 200 },
    );
  });

  test('no name is told more often than it was asked', () => {
    fc.assert(
      fc.property(fc.array(question, { maxLength: 40 }), (steps) => {
        const questions = steps.flatMap(({ times, ...one }) => Array<Question>(times).fill(one));
        const asked = new Map<string, number>();
        for (const { name } of questions) asked.set(name, (asked.get(name) ?? 0) + 1);
        const left = new Map(asked);
        for (const { dst_hostname: name, count = 1 } of told(questions)) {
          if (name !== undefined) left.set(name, (left.get(name) ?? 0) - count);
        }
        expect(Math.min(0, ...left.values())).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
