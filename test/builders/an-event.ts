// A kernel event's bytes, as bpf/flow.bpf.h fills them.
import { DECIDED_BY, LAYER, MODE, OFFSET, ORIGIN, SIZE } from '../../src/core/flow/layout.gen.ts';

/** What a test says of its event. */
export interface EventWishes {
  readonly ipVersion?: number;
  readonly allowed?: boolean;
  readonly protocol?: number;
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly by?: number;
  readonly layer?: number;
  readonly origin?: number;
  readonly mode?: number;
  readonly rule?: number;
  readonly name?: number;
  readonly ethertype?: number;
  readonly pid?: number;
  readonly startNs?: bigint;
  readonly execs?: number;
}

/** 192.0.2.2 to 198.51.100.20 by curl, one second after boot; refused by default in enforce. */
export function anEvent(wishes: EventWishes): Uint8Array {
  const bytes = new Uint8Array(SIZE.event);
  const view = new DataView(bytes.buffer);
  const flow = OFFSET.blocked_event;
  view.setUint8(flow.ip_version, wishes.ipVersion ?? 4);
  view.setUint8(flow.allowed, wishes.allowed === true ? 1 : 0);
  view.setUint8(flow.ip_proto, wishes.protocol ?? 6);
  view.setUint32(flow.src_ip, 0xc0000202, true);
  view.setUint32(flow.dst_ip, 0xc6336414, true);
  view.setUint16(flow.src_port, wishes.srcPort ?? 40_000, true);
  view.setUint16(flow.dst_port, wishes.dstPort ?? 443, true);
  view.setBigUint64(flow.timestamp, 1_000_000_000n, true);
  view.setUint32(flow.pid, wishes.pid ?? 42, true);
  const at = SIZE.blocked_event;
  const ext = OFFSET.event_extension;
  view.setUint16(at + ext.version, 1, true);
  view.setUint16(at + ext.size, SIZE.event_extension, true);
  view.setUint8(at + ext.by, wishes.by ?? DECIDED_BY.DEFAULT);
  view.setUint8(at + ext.layer, wishes.layer ?? LAYER.CONNECT);
  view.setUint8(at + ext.origin, wishes.origin ?? ORIGIN.JOB);
  view.setUint8(at + ext.mode, wishes.mode ?? MODE.ENFORCE);
  view.setUint32(at + ext.rule, wishes.rule ?? 0, true);
  view.setUint32(at + ext.name, wishes.name ?? 0, true);
  view.setUint16(at + ext.ethertype, wishes.ethertype ?? 0, true);
  view.setUint32(at + ext.count, 1, true);
  view.setBigUint64(at + ext.start_ns, wishes.startNs ?? 0n, true);
  view.setUint32(at + ext.execs, wishes.execs ?? 0, true);
  bytes.set(new TextEncoder().encode('curl'), at + ext.comm);
  return bytes;
}
