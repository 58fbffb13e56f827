// Bytes of the ring -> FlowEvent, by the layout generated from bpf/abi.h.
import { type Address, addressFromNumber } from '../net/address.ts';
import { decodeComm } from './comm.ts';
import type { FlowEvent } from './flow-event.ts';
import { OFFSET, SIZE } from './layout.gen.ts';

const FLOW = OFFSET.blocked_event;
const EXT = OFFSET.event_extension;
const ABI_VERSION = 1;
const NOT_IP = 255;
const TCP = 6;
const UDP = 17;

/** A batch of events; `undecodable` ones are counted, never guessed. */
export interface DecodedEvents {
  readonly events: readonly FlowEvent[];
  readonly undecodable: number;
}

/** Decodes a batch as the loader sends it. */
export function decodeEvents(bytes: Uint8Array): DecodedEvents {
  const events: FlowEvent[] = [];
  let undecodable = bytes.length % SIZE.event === 0 ? 0 : 1;
  for (let at = 0; at + SIZE.event <= bytes.length; at += SIZE.event) {
    const event = decodeEvent(bytes.subarray(at, at + SIZE.event));
    if (event === undefined) undecodable++;
    else events.push(event);
  }
  return { events, undecodable };
}

function decodeEvent(bytes: Uint8Array): FlowEvent | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint8(FLOW.ip_version);
  const isV6 = version === 6;
  // The contract: version 0 reads as 4.
  if (!isV6 && version !== 4 && version !== 0) return undefined;
  const ext = SIZE.blocked_event;
  if (view.getUint16(ext + EXT.version, true) !== ABI_VERSION) return undefined;
  const protocol = view.getUint8(FLOW.ip_proto);
  const hasPorts = protocol === TCP || protocol === UDP;
  const address = (v4: number, v6: number) =>
    protocol === NOT_IP ? undefined : addressAt(bytes, view, isV6 ? { v6 } : { v4 });
  return {
    monotonicNs: view.getBigUint64(FLOW.timestamp, true),
    allowed: view.getUint8(FLOW.allowed) !== 0,
    protocol,
    src: address(FLOW.src_ip, FLOW.src_ip6),
    dst: address(FLOW.dst_ip, FLOW.dst_ip6),
    srcPort: hasPorts ? view.getUint16(FLOW.src_port, true) : 0,
    dstPort: hasPorts ? view.getUint16(FLOW.dst_port, true) : 0,
    pid: view.getUint32(FLOW.pid, true),
    midStream: (view.getUint8(FLOW.pad1) & 1) !== 0,
    ...decodeExtension(new DataView(bytes.buffer, bytes.byteOffset + ext, SIZE.event_extension)),
    comm: decodeComm(bytes.subarray(ext + EXT.comm, ext + SIZE.event_extension)),
  };
}

function decodeExtension(view: DataView) {
  return {
    by: view.getUint8(EXT.by),
    layer: view.getUint8(EXT.layer),
    origin: view.getUint8(EXT.origin),
    mode: view.getUint8(EXT.mode),
    rule: view.getUint32(EXT.rule, true),
    name: view.getUint32(EXT.name, true),
    uid: view.getUint32(EXT.uid, true),
    ethertype: view.getUint16(EXT.ethertype, true),
    scope: view.getUint16(EXT.scope, true),
    count: view.getUint32(EXT.count, true),
    cgroup: view.getBigUint64(EXT.cgroup, true),
  };
}

/** An address; undefined when it is all zero: a call has no source address yet. */
function addressAt(
  bytes: Uint8Array,
  view: DataView,
  where: { readonly v4: number } | { readonly v6: number },
): Address | undefined {
  if ('v4' in where) {
    const number = view.getUint32(where.v4, true);
    return number === 0 ? undefined : addressFromNumber(number);
  }
  const address = bytes.slice(where.v6, where.v6 + 16);
  return address.every((byte) => byte === 0) ? undefined : address;
}
