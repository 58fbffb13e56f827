// Kernel entries as an APPLY payload, written by the layout of bpf/abi.h.
import { OFFSET, SIZE, WRITABLE_MAP } from '../../src/core/flow/layout.gen.ts';

/** An IPv4 or full-form IPv6 address as 16 bytes in hex. */
export function hexAddress(text: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (text.includes('.')) {
    bytes.writeUInt16BE(0xffff, 10);
    text.split('.').forEach((part, index) => {
      bytes[12 + index] = Number(part);
    });
    return bytes;
  }
  const [head = '', tail = ''] = text.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  groups.forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}

function write(map: number, key: Buffer, value: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head[1] = map;
  head.writeUInt16LE(key.length, 2);
  head.writeUInt16LE(value.length, 4);
  return Buffer.concat([head, key, value]);
}

export interface Entry {
  readonly address: string;
  readonly port?: number;
  readonly proto: number;
  readonly scope?: number;
  readonly kind?: number;
}

/** A rule; `length` counts the bits of the address as written (32 of IPv4 is a single address). */
export function rule(entry: Entry & { length: number; verdict: number; rule: number }): Buffer {
  const at = OFFSET.rule_key;
  const key = Buffer.alloc(SIZE.rule_key);
  const length = entry.address.includes('.') ? 96 + entry.length : entry.length;
  key.writeUInt32LE(64 + length, at.prefixlen);
  key.writeUInt32LE(entry.scope ?? 0, at.scope);
  key[at.kind] = entry.kind ?? 0;
  key[at.proto] = entry.proto;
  key.writeUInt16LE(entry.port ?? 0, at.port);
  hexAddress(entry.address).copy(key, at.addr);
  const value = Buffer.alloc(SIZE.rule_value);
  value.writeUInt32LE(entry.rule, OFFSET.rule_value.rule);
  value[OFFSET.rule_value.verdict] = entry.verdict;
  value[OFFSET.rule_value.prefixlen] = length;
  return write(WRITABLE_MAP.RULES, key, value);
}

/** A grant that ends at `expiresNs` of CLOCK_MONOTONIC. */
export function grant(entry: Entry & { expiresNs: bigint }): Buffer {
  const at = OFFSET.grant_key;
  const key = Buffer.alloc(SIZE.grant_key);
  key.writeUInt32LE(entry.scope ?? 0, at.scope);
  key[at.kind] = entry.kind ?? 0;
  key[at.proto] = entry.proto;
  key.writeUInt16LE(entry.port ?? 0, at.port);
  hexAddress(entry.address).copy(key, at.addr);
  const value = Buffer.alloc(SIZE.grant_value);
  value.writeBigUInt64LE(entry.expiresNs, OFFSET.grant_value.expires_ns);
  return write(WRITABLE_MAP.GRANTS, key, value);
}

/** The policy record: generation 1 and the default verdict. */
export function policy(defaultVerdict: number): Buffer {
  const value = Buffer.alloc(SIZE.policy_config);
  value.writeUInt32LE(1, OFFSET.policy_config.generation);
  value.writeUInt32LE(defaultVerdict, OFFSET.policy_config.default_verdict);
  value.writeBigUInt64LE(300_000_000_000n, OFFSET.policy_config.flow_idle_ns);
  return write(WRITABLE_MAP.POLICY, Buffer.alloc(4), value);
}

export interface Event {
  readonly allowed: boolean;
  readonly proto: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly port: number;
  readonly pid: number;
  readonly comm: string;
  readonly by: number;
  readonly layer: number;
  readonly origin: number;
  readonly rule: number;
}

/** One hex line of the stand-in daemon's log. */
export function decodeEvent(hex: string): Event {
  const bytes = Buffer.from(hex, 'hex');
  const flow = OFFSET.blocked_event;
  const ext = OFFSET.event_extension;
  const v4 = (at: number) =>
    [24, 16, 8, 0].map((shift) => (bytes.readUInt32LE(at) >>> shift) & 255).join('.');
  const v6 = (at: number) => bytes.subarray(at, at + 16).toString('hex');
  const isV4 = bytes[flow.ip_version] === 4;
  const comm = bytes
    .subarray(SIZE.blocked_event + ext.comm, SIZE.blocked_event + ext.start_ns)
    .toString('latin1');
  return {
    allowed: bytes[flow.allowed] === 1,
    proto: bytes[flow.ip_proto] ?? 0,
    source: isV4 ? v4(flow.src_ip) : v6(flow.src_ip6),
    sourcePort: bytes.readUInt16LE(flow.src_port),
    destination: isV4 ? v4(flow.dst_ip) : v6(flow.dst_ip6),
    port: bytes.readUInt16LE(flow.dst_port),
    pid: bytes.readUInt32LE(flow.pid),
    comm: comm.slice(0, comm.indexOf('\0')),
    by: bytes[SIZE.blocked_event + ext.by] ?? 0,
    origin: bytes[SIZE.blocked_event + ext.origin] ?? 0,
    layer: bytes[SIZE.blocked_event + ext.layer] ?? 0,
    rule: bytes.readUInt32LE(SIZE.blocked_event + ext.rule),
  };
}
