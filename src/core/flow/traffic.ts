// Bytes sent by destination, as the kernel's traffic map has them.
import type { Address } from '../net/address.ts';
import { decodeComm } from './comm.ts';
import { OFFSET, SIZE } from './layout.gen.ts';

/** What was sent to one destination by one program, under one decision. */
export interface TrafficTotal {
  readonly dst: Address;
  /** 0: none, or not known of a later fragment. */
  readonly port: number;
  readonly protocol: number;
  /** Ids, as in the event of the flow; 0 = none. */
  readonly rule: number;
  readonly name: number;
  /** enum origin */
  readonly origin: number;
  /** enum decided_by */
  readonly by: number;
  /** The policy's verdict; what it denies passes in mode audit alone. */
  readonly allowed: boolean;
  /** Empty where no process is known. */
  readonly comm: string;
  /** Payload: behind the TCP, UDP or ICMP header; segments sent again count again. */
  readonly bytes: number;
}

/** All totals, and whether open sockets were asked too. */
export interface Traffic {
  /** 0 or -errno of the visit to open sockets: what they have not told yet is missing. */
  readonly status: number;
  readonly totals: readonly TrafficTotal[];
}

const KEY = OFFSET.traffic_key;
const ROW = SIZE.traffic_key + SIZE.traffic_value;
const STATUS = 4;

/** The content of TRAFFIC; throws RangeError when it is cut short. */
export function decodeTraffic(payload: Uint8Array): Traffic {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const count = Math.floor((payload.length - STATUS) / ROW);
  const totals = Array.from({ length: count }, (_, index) =>
    decodeTotal(payload.subarray(STATUS + index * ROW, STATUS + (index + 1) * ROW)),
  );
  return { status: view.getInt32(0, true), totals };
}

function decodeTotal(row: Uint8Array): TrafficTotal {
  const view = new DataView(row.buffer, row.byteOffset, row.length);
  return {
    dst: row.slice(KEY.dst, KEY.dst + SIZE.address),
    port: view.getUint16(KEY.port, true),
    protocol: view.getUint8(KEY.proto),
    rule: view.getUint32(KEY.rule, true),
    name: view.getUint32(KEY.name, true),
    origin: view.getUint8(KEY.origin),
    by: view.getUint8(KEY.by),
    allowed: view.getUint8(KEY.verdict) !== 0,
    comm: decodeComm(row.subarray(KEY.comm, SIZE.traffic_key)),
    bytes: Number(view.getBigUint64(SIZE.traffic_key + OFFSET.traffic_value.bytes, true)),
  };
}
