// Grants as writes to the kernel: what opens, what extends, what makes room, what is undone.
import { describe, expect, test } from 'vitest';
import { type GrantRequest, Grants } from '../../../src/core/dns/grants.ts';
import { type Segment, segment } from '../../../src/core/dns/segment.ts';
import { KIND, OFFSET, SCOPE, SIZE, WRITABLE_MAP } from '../../../src/core/flow/layout.gen.ts';
import {
  type Address,
  addressFromNumber,
  parseAddress,
  printAddress,
} from '../../../src/core/net/address.ts';
import { emptyPairs } from '../../../src/core/net/pair-set.ts';
import type { MapWrite } from '../../../src/core/policy/map-write.ts';

const TCP_443 = tcp([443]);
const ONE = parseAddress('192.0.2.1') ?? new Uint8Array(16);
const V6 = parseAddress('2001:db8::1') ?? new Uint8Array(16);

function tcp(ports: readonly number[], kind: Segment['kind'] = 'user', rule = 1): Segment {
  const pairs = { ...emptyPairs(), tcp: { kind: 'some', ports } as const };
  return segment({ kind, pairs, rule, private: false });
}

function request(
  name: string,
  addresses: readonly Address[],
  more: Partial<GrantRequest> & { item?: Segment } = {},
): GrantRequest {
  const grants = addresses.map((address) => ({
    address,
    grants: [more.item ?? TCP_443],
    denials: [],
  }));
  return { name, grants, expiresAtMs: 300_000, nowMs: 0, ...more };
}

interface Seen {
  readonly op: string;
  readonly scope: number;
  readonly kind: number;
  readonly proto: number;
  readonly port: number;
  readonly address: string;
  readonly expiresMs: number;
}

function read(write: MapWrite): Seen {
  expect(write.map).toBe(WRITABLE_MAP.GRANTS);
  expect(write.key).toHaveLength(SIZE.grant_key);
  const at = OFFSET.grant_key;
  const key = new DataView(write.key.buffer);
  const value = new DataView(write.value.buffer);
  return {
    op: write.op,
    scope: key.getUint32(at.scope, true),
    kind: key.getUint8(at.kind),
    proto: key.getUint8(at.proto),
    port: key.getUint16(at.port, true),
    address: printAddress(write.key.slice(at.addr, at.addr + 16)),
    expiresMs:
      write.op === 'delete'
        ? 0
        : Number(value.getBigUint64(OFFSET.grant_value.expires_ns, true) / 1_000_000n),
  };
}

describe('a grant', () => {
  test('opens its pair in the table of everyone', () => {
    const change = new Grants().grant(request('ok.example', [ONE]));
    expect(change.opens).toBe(true);
    expect(change.writes.map(read)).toEqual([
      {
        op: 'update',
        scope: SCOPE.EVERYONE,
        kind: KIND.USER,
        proto: 6,
        port: 443,
        address: '192.0.2.1',
        expiresMs: 300_000,
      },
    ]);
  });

  test.each([
    ['auto', SCOPE.EVERYONE, KIND.AUTO],
    ['runner', SCOPE.RUNNER, KIND.RUNNER],
  ] as const)('of kind %s goes to its own table', (kind, scope, number) => {
    const { writes } = new Grants().grant(request('ok.example', [ONE], { item: tcp([443], kind) }));
    expect(writes.map(read)).toMatchObject([{ scope, kind: number }]);
  });

  test('of ICMP is ICMPv6 for IPv6', () => {
    const item = segment({
      kind: 'user',
      pairs: { ...emptyPairs(), icmp: true },
      rule: 1,
      private: false,
    });
    const { writes } = new Grants().grant(request('ok.example', [ONE, V6], { item }));
    expect(writes.map(read)).toMatchObject([
      { proto: 1, port: 0 },
      { proto: 58, port: 0 },
    ]);
  });

  test('is extended by a later answer and never shortened, without opening anything', () => {
    const grants = new Grants();
    grants.grant(request('ok.example', [ONE]));
    const later = grants.grant(
      request('ok.example', [ONE], { expiresAtMs: 500_000, nowMs: 200_000 }),
    );
    expect(later.opens).toBe(false);
    expect(later.writes.map(read)).toMatchObject([{ expiresMs: 500_000 }]);
    expect(
      grants.grant(request('ok.example', [ONE], { expiresAtMs: 400_000, nowMs: 201_000 })).writes,
    ).toEqual([]);
  });

  test('that has ended opens again', () => {
    const grants = new Grants();
    grants.grant(request('ok.example', [ONE]));
    const again = grants.grant(
      request('ok.example', [ONE], { expiresAtMs: 900_000, nowMs: 600_000 }),
    );
    expect(again.opens).toBe(true);
  });

  test('of two names on one address lets each pair live as long as its own name', () => {
    const grants = new Grants();
    grants.grant(request('a.example', [ONE], { item: tcp([443]), expiresAtMs: 300_000 }));
    const { writes } = grants.grant(
      request('b.example', [ONE], { item: tcp([80]), expiresAtMs: 900_000 }),
    );
    expect(writes.map(read)).toMatchObject([{ port: 80, expiresMs: 900_000 }]);
    expect(grants.live('user', ONE, 'tcp', 443, 1000)?.name).toBe('a.example');
    expect(grants.live('user', ONE, 'tcp', 80, 1000)?.name).toBe('b.example');
    expect(grants.live('user', ONE, 'tcp', 443, 400_000)).toBeUndefined();
    expect(grants.latestName(ONE, 1000)).toBe('b.example');
  });
});

describe('a denial', () => {
  test('is written to its own table and names nothing', () => {
    const grants = new Grants();
    const { writes } = grants.grant({
      name: 'bad.example',
      grants: [{ address: ONE, grants: [], denials: [TCP_443] }],
      expiresAtMs: 300_000,
      nowMs: 0,
    });
    expect(writes.map(read)).toMatchObject([{ kind: KIND.DENIAL, port: 443 }]);
    expect(grants.live('user', ONE, 'tcp', 443, 0)).toBeUndefined();
  });

  test('makes no room for others, however many addresses its name has', () => {
    const grants = new Grants();
    const addresses = Array.from({ length: 200 }, (_, i) => addressFromNumber(0xc0000200 + i));
    const { writes } = grants.grant({
      name: 'bad.example',
      grants: addresses.map((address) => ({ address, grants: [], denials: [TCP_443] })),
      expiresAtMs: 300_000,
      nowMs: 0,
    });
    expect(writes.filter((write) => write.op === 'update')).toHaveLength(200);
    expect(grants.evicted).toBe(0);
  });
});

describe('64 addresses of a name', () => {
  const many = Array.from({ length: 70 }, (_, i) => addressFromNumber(0xc0000200 + i));

  test('hold grants, the first of one long answer making room', () => {
    const grants = new Grants();
    grants.grant(request('ok.example', many));
    const live = many.filter((address) => grants.live('user', address, 'tcp', 443, 1));
    expect(live.map(printAddress)).toEqual(many.slice(6).map(printAddress));
    expect(grants.evicted).toBe(6);
  });

  test('are the last answered; what makes room is deleted from the kernel', () => {
    const grants = new Grants();
    grants.grant(request('ok.example', many.slice(0, 64)));
    grants.grant(request('ok.example', many.slice(0, 1), { nowMs: 1000, expiresAtMs: 301_000 }));
    const { writes } = grants.grant(request('ok.example', many.slice(64, 65), { nowMs: 2000 }));
    expect(writes.map(read)).toMatchObject([
      { op: 'update', address: '192.0.2.64' },
      { op: 'delete', address: '192.0.2.1' },
    ]);
  });

  test("are counted by name: another name's grant on the same address stays", () => {
    const grants = new Grants();
    grants.grant(request('other.example', many.slice(0, 1)));
    grants.grant(request('ok.example', many));
    const first = many[0] ?? ONE;
    expect(grants.live('user', first, 'tcp', 443, 1)?.name).toBe('other.example');
  });
});

describe('what ends', () => {
  test('is deleted by the sweep, once', () => {
    const grants = new Grants();
    grants.grant(request('ok.example', [ONE]));
    expect(grants.sweep(299_999)).toEqual([]);
    expect(grants.sweep(300_000).map(read)).toMatchObject([{ op: 'delete', port: 443 }]);
    expect(grants.sweep(300_001)).toEqual([]);
    expect(grants.size).toBe(0);
  });

  test('by the refusal of the kernel is taken back and opens anew next time', () => {
    const grants = new Grants();
    const change = grants.grant(request('ok.example', [ONE]));
    expect(change.undo(1).map(read)).toMatchObject([{ op: 'delete', port: 443 }]);
    expect(grants.live('user', ONE, 'tcp', 443, 2)).toBeUndefined();
    expect(grants.grant(request('ok.example', [ONE], { nowMs: 3 })).opens).toBe(true);
  });

  test("by the refusal of the kernel leaves others' grants on the address alone", () => {
    const grants = new Grants();
    const refused = grants.grant(request('a.example', [ONE]));
    grants.grant(request('b.example', [ONE], { item: tcp([80]) }));
    refused.undo(1);
    expect(grants.live('user', ONE, 'tcp', 443, 2)).toBeUndefined();
    expect(grants.live('user', ONE, 'tcp', 80, 2)?.name).toBe('b.example');
  });
});

test('the layout written is the layout of the contract', () => {
  const [write] = new Grants().grant(request('ok.example', [ONE])).writes;
  expect(write?.value).toHaveLength(SIZE.grant_value);
  const value = new DataView(write?.value.buffer ?? new ArrayBuffer(0));
  expect(value.getUint32(OFFSET.grant_value.rule, true)).toBe(1);
  expect(value.getUint32(OFFSET.grant_value.name, true)).toBe(1);
});
