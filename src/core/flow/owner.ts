// Who sends from a source address and port to the proxy, as the kernel's owner map has it.
import type { Address } from '../net/address.ts';
import { decodeComm } from './comm.ts';
import { OFFSET, SIZE } from './layout.gen.ts';

/** A sender to the proxy. */
export interface Owner {
  readonly pid: number;
  readonly comm: string;
  readonly uid: number;
  /** enum origin */
  readonly origin: number;
  /** enum scope */
  readonly scope: number;
  /** cgroup id, decimal */
  readonly cgroup: string;
  /** With pid and execs: IdentityKey. */
  readonly startNs: bigint;
  readonly execs: number;
}

/** struct owner_key; `proto` is an IANA number. */
export function encodeOwnerKey(src: Address, port: number, proto: number): Uint8Array {
  const key = new Uint8Array(SIZE.owner_key);
  const view = new DataView(key.buffer);
  key.set(src, OFFSET.owner_key.src);
  view.setUint16(OFFSET.owner_key.port, port, true);
  view.setUint8(OFFSET.owner_key.proto, proto);
  return key;
}

/** struct owner_value */
export function decodeOwnerValue(value: Uint8Array): Owner {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const at = OFFSET.owner_value;
  return {
    pid: view.getUint32(at.pid, true),
    comm: decodeComm(value.subarray(at.comm, at.comm + 16)),
    uid: view.getUint32(at.uid, true),
    origin: view.getUint8(at.origin),
    scope: view.getUint16(at.scope, true),
    cgroup: view.getBigUint64(at.cgroup, true).toString(),
    startNs: view.getBigUint64(at.start_ns, true),
    execs: view.getUint32(at.execs, true),
  };
}

/** struct owner_value behind its i32 status; undefined when the sender is not known. */
export function decodeOwnerReply(reply: Uint8Array): Owner | undefined {
  if (reply.length !== 4 + SIZE.owner_value) return undefined;
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
  return view.getInt32(0, true) === 0 ? decodeOwnerValue(reply.subarray(4)) : undefined;
}
