// Events as the kernel encodes them, and the records made of them.
import { describe, expect, test } from 'vitest';
import { attribute, INBOUND } from '../../../src/core/audit/attribute.ts';
import { Coalescer } from '../../../src/core/audit/coalesce.ts';
import type { IdentityKey } from '../../../src/core/audit/identity.ts';
import { encodeRecord } from '../../../src/core/audit/jsonl.ts';
import { decodeEvents } from '../../../src/core/flow/decode.ts';
import type { FlowEvent } from '../../../src/core/flow/flow-event.ts';
import { DECIDED_BY, LAYER, MODE, ORIGIN } from '../../../src/core/flow/layout.gen.ts';
import { isExpectedFlow, type RefusedFlow } from '../../../src/core/policy/expected.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';
import { anEvent } from '../../builders/an-event.ts';

const policy = aSessionPolicy({
  allow: 'a.example.com',
  block: 'evil.example.net',
  expected: 'last.example.net:80, 203.0.113.0/24',
});
const IDENTITY = {
  exe: { dev: '8:1', ino: '42', name: 'curl' },
  ancestry: [{ pid: 7, start_ticks: 3, process: 'sh', exe: { dev: '8:1', ino: '41' } }],
};
const KNOWLEDGE = {
  clockOffsetNs: 1_000_000_000n,
  ruleOf: (id: number) => policy.rules[id - 1],
  nameOfGrant: (id: number) => (id === 7 ? 'www.a.example.com' : undefined),
  namesFor: () => ['last.example.net', 'before.example.net'],
  identityOf: (who: IdentityKey) => (who.startNs === 0n ? undefined : IDENTITY),
  isExpected: (flow: RefusedFlow) => isExpectedFlow(policy, flow),
};

function decoded(bytes: Uint8Array): FlowEvent {
  const [event] = decodeEvents(bytes);
  if (event === undefined) throw new Error('undecodable');
  return event;
}

function record(wishes: Parameters<typeof anEvent>[0]) {
  return attribute(decoded(anEvent(wishes)), KNOWLEDGE);
}

describe('an event', () => {
  test('says what its process runs and comes from, whatever that calls itself', () => {
    expect(record({ startNs: 1_234_567_890n, execs: 1 })).toMatchObject({
      start_ticks: 123,
      ...IDENTITY,
    });
    expect(record({})).not.toHaveProperty('start_ticks');
    expect(
      attribute(decoded(anEvent({ startNs: 1_234_567_890n })), {
        ...KNOWLEDGE,
        identityOf: () => undefined,
      }),
    ).toMatchObject({ start_ticks: 123 });
  });

  test('refused in enforce is blocked, with process and the latest names', () => {
    expect(record({ mode: MODE.ENFORCE, by: DECIDED_BY.DEFAULT })).toMatchObject({
      timestamp: '1970-01-01T00:00:02.000000000Z',
      event_type: 'connection_blocked',
      src_ip: '192.0.2.2',
      dst_ip: '198.51.100.20',
      dst_hostname: 'last.example.net',
      dst_hostnames: ['before.example.net'],
      dst_port: 443,
      protocol: 'TCP',
      process: 'curl',
      pid: 42,
      blocked: true,
      would_deny: false,
      origin: 'job',
    });
  });

  test('refused in audit would be denied', () => {
    const made = record({ mode: MODE.AUDIT, by: DECIDED_BY.DEFAULT });
    expect(made).toMatchObject({ blocked: false, would_deny: true });
  });

  test('allowed by a grant has its name and rule, and no others', () => {
    const made = record({ allowed: true, by: DECIDED_BY.GRANT, rule: 1, name: 7 });
    expect(made).toMatchObject({
      event_type: 'connection_allowed',
      dst_hostname: 'www.a.example.com',
      matched_rule: 'a.example.com',
      blocked: false,
      would_deny: false,
    });
    expect(made).not.toHaveProperty('dst_hostnames');
  });

  test('of another protocol is a protocol block without a port', () => {
    const made = record({ protocol: 47, dstPort: 47, by: DECIDED_BY.PROTOCOL });
    expect(made).toMatchObject({ event_type: 'protocol_blocked', protocol: 'GRE', dst_port: 0 });
  });

  test('of a frame that is not IP has its EtherType and no addresses', () => {
    const made = record({ protocol: 255, ethertype: 0x88cc, by: DECIDED_BY.NOT_IP });
    expect(made).toMatchObject({ protocol: 'Protocol-255', reason: '0x88cc' });
    expect(encodeRecord(made)).not.toMatch(/_ip/u);
  });

  test.each([
    [17, 'AF_PACKET'],
    [27, 'AF_IB'],
    [40, 'AF_VSOCK'],
    [44, 'AF_XDP'],
  ])('of a socket of family %i says so, and has no addresses', (ethertype, reason) => {
    const made = record({ protocol: 255, ethertype, by: DECIDED_BY.SOCKET, layer: LAYER.SOCKET });
    expect(made).toMatchObject({ event_type: 'protocol_blocked', decided_by: 'socket', reason });
    expect(made).toMatchObject({ layer: 'socket', blocked: true, protocol: 'Protocol-255' });
    expect(encodeRecord(made)).not.toMatch(/_ip/u);
  });

  test('of a service that answers says so', () => {
    const made = record({ allowed: true, by: DECIDED_BY.INBOUND, origin: ORIGIN.SYSTEM });
    expect(made).toMatchObject({ event_type: 'connection_allowed', reason: INBOUND });
    expect(made).toMatchObject({ decided_by: 'inbound', origin: 'system' });
  });

  test("of the daemon's own is auto-allowed dns", () => {
    const made = record({ allowed: true, by: DECIDED_BY.DAEMON, origin: ORIGIN.DAEMON });
    expect(made).toMatchObject({ auto_allowed_type: 'dns', origin: 'daemon' });
  });

  test('of the proof says so, and is blocked in audit too', () => {
    const made = record({ mode: MODE.AUDIT, by: DECIDED_BY.PROOF });
    expect(made).toMatchObject({ reason: 'proof', blocked: true });
  });
});

test('a short batch and an unknown version are counted, the rest is decoded', () => {
  const good = anEvent({});
  const other = anEvent({ ipVersion: 5 });
  const bytes = new Uint8Array([...good, ...other, ...good, ...good.subarray(0, 60)]);
  const isDecoded = [...decodeEvents(bytes)].map((event) => event !== undefined);
  expect(isDecoded).toEqual([true, false, true, false]);
});

describe('repeats', () => {
  const packet = { layer: LAYER.TC, by: DECIDED_BY.DEFAULT };

  test('of one refused flow become one record with a count', () => {
    const coalescer = new Coalescer();
    const event = decoded(anEvent(packet));
    const made = attribute(event, KNOWLEDGE);
    expect([1, 2, 3].map((ms) => coalescer.isFirst(event, made, ms))).toEqual([true, false, false]);
    expect(coalescer.flush(4)).toMatchObject([{ count: 2, mid_stream: true }]);
    expect(coalescer.flush(5)).toEqual([]);
  });

  test('of another process are its own', () => {
    const coalescer = new Coalescer();
    const said = [7, 8, 7].map((pid) => {
      const event = decoded(anEvent({ ...packet, pid }));
      return coalescer.isFirst(event, attribute(event, KNOWLEDGE), 1);
    });
    expect(said).toEqual([true, true, false]);
  });

  test('of calls are attempts of their own', () => {
    const coalescer = new Coalescer();
    const event = decoded(anEvent({ layer: LAYER.CONNECT, by: DECIDED_BY.DEFAULT }));
    const made = attribute(event, KNOWLEDGE);
    expect([1, 2].map((ms) => coalescer.isFirst(event, made, ms))).toEqual([true, true]);
  });

  test('beyond the limit of flows lose no count', () => {
    const coalescer = new Coalescer();
    let written = 0;
    for (let round = 0; round < 2; round++) {
      for (let port = 1; port <= 20_000; port++) {
        const event = decoded(anEvent({ ...packet, srcPort: port }));
        if (coalescer.isFirst(event, attribute(event, KNOWLEDGE), 1)) written++;
      }
    }
    const folded = coalescer.flush(2).reduce((sum, { count = 1 }) => sum + count, 0);
    expect(written + folded).toBe(40_000);
  });
});

test.each([
  ['its name and port', { dstPort: 80 }, true],
  ['its name on another port', {}, undefined],
])('a refusal is expected by %s', (_what, wishes, expected) => {
  expect(record({ mode: MODE.ENFORCE, by: DECIDED_BY.DEFAULT, ...wishes }).expected).toBe(expected);
});
