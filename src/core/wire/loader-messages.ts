// What is inside the loader's frames; the formats are in docs/architecture.md.
import { type Address, parseAddress } from '../net/address.ts';
import type { MapWrite } from '../policy/map-write.ts';
import type { SessionSettings } from './session.ts';

/** A socket of the proxy's, bound by the loader. */
export interface InheritedSocket {
  readonly fd: number;
  readonly proto: 'tcp' | 'udp';
  /** Over UDP: whether only runner processes' questions reach it; else none of theirs do. */
  readonly runner: boolean;
  /** Text. */
  readonly address: string;
}

/** The loader's first frame. */
export interface Hello {
  readonly restarted: boolean;
  readonly audit: number;
  readonly sockets: readonly InheritedSocket[];
  readonly own: readonly Address[];
  readonly monotonicNs: bigint;
  readonly realtimeNs: bigint;
  readonly session: SessionSettings;
}

/** A frame's content that isn't what it must be: the two sides don't fit together. */
export class LoaderMessageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LoaderMessageError';
  }
}

const APPLY_HEAD = 8;
const OP_UPDATE = 1;
const OP_DELETE = 2;

/** The payload of APPLY: all of the writes or none. */
export function encodeApply(writes: readonly MapWrite[]): Uint8Array {
  const size = writes.reduce((sum, one) => sum + APPLY_HEAD + one.key.length + one.value.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { op, map, key, value } of writes) {
    view.setUint8(at, op === 'update' ? OP_UPDATE : OP_DELETE);
    view.setUint8(at + 1, map);
    view.setUint16(at + 2, key.length, true);
    view.setUint16(at + 4, value.length, true);
    bytes.set(key, at + APPLY_HEAD);
    bytes.set(value, at + APPLY_HEAD + key.length);
    at += APPLY_HEAD + key.length + value.length;
  }
  return bytes;
}

/** The status of an ACK: 0 or -errno, and the index of the failing write. */
export function decodeAck(payload: Uint8Array): {
  readonly status: number;
  readonly index: number;
} {
  if (payload.length !== 8) throw new LoaderMessageError(`an ACK of ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return { status: view.getInt32(0, true), index: view.getUint32(4, true) };
}

/** The payload of CLOSED: 0 or -errno for each flow. */
export function decodeStatuses(payload: Uint8Array): readonly number[] {
  if (payload.length % 4 !== 0) throw new LoaderMessageError(`CLOSED of ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: payload.length / 4 }, (_, index) => view.getInt32(index * 4, true));
}

/** A line over the control socket, or main's own (client 0). */
export interface ControlLine {
  readonly client: number;
  /** Whose it is, as the kernel says (SO_PEERCRED). */
  readonly peer: { readonly uid: number; readonly pid: number };
  readonly line: string;
}

/** The content of CONTROL. */
export function decodeControl(payload: Uint8Array): ControlLine {
  if (payload.length < 12) throw new LoaderMessageError(`a CONTROL of ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return {
    client: view.getUint32(0, true),
    peer: { uid: view.getUint32(4, true), pid: view.getUint32(8, true) },
    line: new TextDecoder().decode(payload.subarray(12)),
  };
}

/** The payload of CONTROL_REPLY. */
export function encodeControlReply(client: number, line: string): Uint8Array {
  const text = new TextEncoder().encode(line);
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, client, true);
  bytes.set(text, 4);
  return bytes;
}

/** The content of COUNTERS, by enum counter. */
export function decodeCounters(payload: Uint8Array): readonly number[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: Math.floor(payload.length / 8) }, (_, index) =>
    Number(view.getBigUint64(index * 8, true)),
  );
}

/** The content of HELLO. The session is main's own value, passed on by root: taken as it is. */
export function decodeHello(payload: Uint8Array): Hello {
  const value = JSON.parse(new TextDecoder().decode(payload)) as {
    readonly restarted: boolean;
    readonly audit: number;
    readonly sockets: readonly InheritedSocket[];
    readonly own: readonly string[];
    readonly monotonicNs: string;
    readonly realtimeNs: string;
    readonly session: SessionSettings;
  };
  return {
    ...value,
    own: value.own.map(neededAddress),
    monotonicNs: BigInt(value.monotonicNs),
    realtimeNs: BigInt(value.realtimeNs),
  };
}

function neededAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new LoaderMessageError(`"${text}" is no address`);
  return address;
}
