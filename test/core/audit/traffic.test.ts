import { describe, expect, test } from 'vitest';
import {
  LARGE_UPLOAD_BYTES,
  largeUploads,
  trafficRecords,
} from '../../../src/core/audit/traffic.ts';
import { DECIDED_BY, ORIGIN } from '../../../src/core/flow/layout.gen.ts';
import { decodeTraffic, type TrafficTotal } from '../../../src/core/flow/traffic.ts';
import { type Address, parseAddress } from '../../../src/core/net/address.ts';

const AT = '2026-11-24T06:35:00.000000000Z';

function address(text: string): Address {
  const found = parseAddress(text);
  if (found === undefined) throw new Error(text);
  return found;
}

function total(changed: Partial<TrafficTotal> = {}): TrafficTotal {
  return {
    dst: address('198.51.100.10'),
    port: 443,
    protocol: 6,
    rule: 0,
    name: 1,
    origin: ORIGIN.JOB,
    by: DECIDED_BY.GRANT,
    allowed: true,
    comm: 'npm',
    bytes: 5,
    ...changed,
  };
}

function records(totals: readonly TrafficTotal[], granted: string | null = 'a.example') {
  const knowledge = {
    ruleOf: () => undefined,
    nameOfGrant: () => granted ?? undefined,
    namesFor: () => ['b.example', 'a.example'],
    nameInLog: (text: string) => (text === '198.51.100.11' ? 'old.example' : undefined),
  };
  return trafficRecords(totals, knowledge, AT);
}

describe('a record has', () => {
  test('the name whose grant let it through, and the others of its address', () => {
    expect(records([total()])[0]).toMatchObject({
      dst_hostname: 'a.example',
      dst_hostnames: ['b.example'],
    });
  });

  test('of a grant of a daemon that is gone, the name in the log, else the latest answer', () => {
    const [one, other] = [total({ dst: address('198.51.100.11') }), total({ bytes: 1 })];
    const named = records([one, other], null).map(({ dst_hostname }) => dst_hostname);
    expect(named).toEqual(['old.example', 'b.example']);
  });

  test('no name where a rule for the address decided, but those that were answered with it', () => {
    const [record] = records([total({ name: 0, by: DECIDED_BY.RULE })]);
    expect(record?.dst_hostname).toBeUndefined();
    expect(record?.dst_hostnames).toEqual(['b.example', 'a.example']);
  });
});

test('the daemon to its upstream and the proof have none', () => {
  const daemon = total({ origin: ORIGIN.DAEMON, by: DECIDED_BY.DAEMON });
  expect(records([daemon, total({ by: DECIDED_BY.PROOF })])).toEqual([]);
});

describe('a large upload', () => {
  const half = LARGE_UPLOAD_BYTES / 2;
  const of = (...totals: readonly TrafficTotal[]) => largeUploads(records(totals), AT);

  test('is the sum of a host over addresses, ports and processes', () => {
    const rest = total({ dst: address('198.51.100.12'), port: 80, comm: 'curl', bytes: half + 1 });
    expect(of(total({ bytes: half }), rest)).toMatchObject([
      { dst_hostname: 'a.example', bytes_out: LARGE_UPLOAD_BYTES + 1 },
    ]);
  });

  test('begins above the threshold', () => {
    expect(of(total({ bytes: LARGE_UPLOAD_BYTES }))).toEqual([]);
  });

  test.each([ORIGIN.RUNNER, ORIGIN.SYSTEM, ORIGIN.DAEMON])('is none of origin %i', (origin) => {
    expect(of(total({ origin, bytes: 2 * LARGE_UPLOAD_BYTES }))).toEqual([]);
  });
});

test('a payload that is cut short is none', () => {
  expect(() => decodeTraffic(new Uint8Array(3))).toThrow(RangeError);
  expect(decodeTraffic(new Uint8Array(4))).toEqual({ status: 0, totals: [] });
});
