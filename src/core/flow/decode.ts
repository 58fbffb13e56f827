// Bytes of the ring -> FlowEvent, by the layout generated from bpf/abi.h.
import { type Address, addressFromNumber } from '../net/address.ts';
import { type BpfBlockedEvent, decodeBlockedEvent } from './blocked-event.ts';
import { decodeComm } from './comm.ts';
import type { FlowEvent } from './flow-event.ts';
import { OFFSET, SIZE } from './layout.gen.ts';

const EXT = OFFSET.event_extension;
const ABI_VERSION = 1;
const NOT_IP = 255;
const TCP = 6;
const UDP = 17;

/**
 * Decodes a batch as the loader sends it, one by one, so that each is done with before the next is
 * made; undefined is one that can't be decoded, and is never guessed.
 */
export function* decodeEvents(bytes: Uint8Array): Generator<FlowEvent | undefined> {
  let at = 0;
  for (; at + SIZE.event <= bytes.length; at += SIZE.event) {
    yield decodeEvent(bytes.subarray(at, at + SIZE.event));
  }
  if (at < bytes.length) yield undefined;
}

function decodeEvent(bytes: Uint8Array): FlowEvent | undefined {
  const flow = decodeBlockedEvent(bytes);
  const ext = SIZE.blocked_event;
  const view = new DataView(bytes.buffer, bytes.byteOffset + ext, SIZE.event_extension);
  if (flow === undefined || view.getUint16(EXT.version, true) !== ABI_VERSION) return undefined;
  const hasPorts = flow.ipProto === TCP || flow.ipProto === UDP;
  return {
    monotonicNs: flow.timestamp,
    allowed: flow.allowed !== 0,
    protocol: flow.ipProto,
    src: addressOf(flow, flow.srcIp, flow.srcIp6),
    dst: addressOf(flow, flow.dstIp, flow.dstIp6),
    srcPort: hasPorts ? flow.srcPort : 0,
    dstPort: hasPorts ? flow.dstPort : 0,
    pid: flow.pid,
    midStream: (flow.pad1 & 1) !== 0,
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
    comm: decodeComm(bytes.subarray(ext + EXT.comm, ext + EXT.start_ns)),
    startNs: view.getBigUint64(EXT.start_ns, true),
    execs: view.getUint32(EXT.execs, true),
  };
}

/** One end of a flow; undefined for a frame that is not IP, and when all zero: not known yet. */
function addressOf(flow: BpfBlockedEvent, v4: number, v6: Uint8Array): Address | undefined {
  if (flow.ipProto === NOT_IP) return undefined;
  if (flow.ipVersion === 4) return v4 === 0 ? undefined : addressFromNumber(v4);
  return v6.every((byte) => byte === 0) ? undefined : v6;
}
