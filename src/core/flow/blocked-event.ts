// The contract's 64-byte event (spec 8), byte for byte.
import { OFFSET } from './layout.gen.ts';

/** `BpfBlockedEvent`: integers as numbers, 10.1.2.3 is 0x0A010203; IPv6 in network order. */
export interface BpfBlockedEvent {
  /** 4 or 6. */
  readonly ipVersion: 4 | 6;
  /** The policy's verdict, in audit mode too. */
  readonly allowed: number;
  /** IANA number; 255 for a frame that is not IP. */
  readonly ipProto: number;
  /** Bit 0: mid-stream. */
  readonly pad1: number;
  /** 0 when version 6. */
  readonly srcIp: number;
  readonly dstIp: number;
  /** 0 unless TCP or UDP. */
  readonly srcPort: number;
  /** Repeats `ipProto` unless TCP or UDP. */
  readonly dstPort: number;
  /** Zero when version 4. */
  readonly srcIp6: Uint8Array;
  readonly dstIp6: Uint8Array;
  /** CLOCK_MONOTONIC, ns. */
  readonly timestamp: bigint;
  /** Thread group id, 0 when unknown. */
  readonly pid: number;
  readonly pad2: number;
}

const AT = OFFSET.blocked_event;
const NO_ADDRESS = new Uint8Array(16);

/** Decodes the first 64 bytes; version 0 reads as 4, any other version is undefined. */
export function decodeBlockedEvent(bytes: Uint8Array): BpfBlockedEvent | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint8(AT.ip_version);
  if (version !== 0 && version !== 4 && version !== 6) return undefined;
  const address = (at: number) => (version === 6 ? bytes.slice(at, at + 16) : NO_ADDRESS);
  return {
    ipVersion: version === 6 ? 6 : 4,
    allowed: view.getUint8(AT.allowed),
    ipProto: view.getUint8(AT.ip_proto),
    pad1: view.getUint8(AT.pad1),
    srcIp: view.getUint32(AT.src_ip, true),
    dstIp: view.getUint32(AT.dst_ip, true),
    srcPort: view.getUint16(AT.src_port, true),
    dstPort: view.getUint16(AT.dst_port, true),
    srcIp6: address(AT.src_ip6),
    dstIp6: address(AT.dst_ip6),
    timestamp: view.getBigUint64(AT.timestamp, true),
    pid: view.getUint32(AT.pid, true),
    pad2: view.getUint32(AT.pad2, true),
  };
}
