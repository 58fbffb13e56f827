// One entry of the kernel's grants map, byte for byte as in bpf/abi.h (struct grant_key, struct
// grant_value). This folder may not import the generated layout; a test compares the two.
import type { Address } from '../net/address.ts';
import type { MapWrite } from '../policy/map-write.ts';

/** enum writable_map: the grants map. */
const GRANTS_MAP = 2;
const KEY_SIZE = 24;
const VALUE_SIZE = 16;
const TWO_TO_32 = 2 ** 32;

/** struct grant_key; port 0 is every port. */
export interface GrantKey {
  /** enum scope */
  readonly scope: number;
  /** enum kind */
  readonly kind: number;
  /** IANA protocol number */
  readonly proto: number;
  readonly port: number;
  readonly address: Address;
}

/** struct grant_value; `expiresMs` of CLOCK_MONOTONIC, 0 is a hole. */
export interface GrantValue {
  readonly expiresMs: number;
  /** Rule id, 0 = none. */
  readonly rule: number;
  /** The daemon's number of the question name. */
  readonly name: number;
}

/** An entry as the kernel has it. */
export interface KernelGrant {
  readonly key: GrantKey;
  readonly value: GrantValue;
}

/** Little-endian; for each grant, so without a DataView. */
function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function encodeKey(key: GrantKey): Uint8Array {
  const bytes = new Uint8Array(KEY_SIZE);
  setUint32(bytes, 0, key.scope);
  bytes[4] = key.kind;
  bytes[5] = key.proto;
  bytes[6] = key.port;
  bytes[7] = key.port >> 8;
  bytes.set(key.address, 8);
  return bytes;
}

function encodeValue(value: GrantValue): Uint8Array {
  const bytes = new Uint8Array(VALUE_SIZE);
  // exact up to three months of uptime, within a microsecond after
  const ns = Math.ceil(value.expiresMs) * 1_000_000;
  setUint32(bytes, 0, ns % TWO_TO_32);
  setUint32(bytes, 4, Math.floor(ns / TWO_TO_32));
  setUint32(bytes, 8, value.rule);
  setUint32(bytes, 12, value.name);
  return bytes;
}

/** The write that sets an entry. */
export function grantUpdate(key: GrantKey, value: GrantValue): MapWrite {
  return { map: GRANTS_MAP, op: 'update', key: encodeKey(key), value: encodeValue(value) };
}

/** Decodes what the loader sends of the grants map; throws RangeError when it is cut short. */
export function decodeGrants(bytes: Uint8Array): readonly KernelGrant[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.ceil(bytes.length / (KEY_SIZE + VALUE_SIZE)) }, (_, index) => {
    const at = index * (KEY_SIZE + VALUE_SIZE);
    const valueAt = at + KEY_SIZE;
    const key = {
      scope: view.getUint32(at, true),
      kind: view.getUint8(at + 4),
      proto: view.getUint8(at + 5),
      port: view.getUint16(at + 6, true),
      address: bytes.slice(at + 8, valueAt),
    };
    const value = {
      expiresMs: Number(view.getBigUint64(valueAt, true) / 1_000_000n),
      rule: view.getUint32(valueAt + 8, true),
      name: view.getUint32(valueAt + 12, true),
    };
    return { key, value };
  });
}

/** The write that deletes an entry. */
export function grantDelete(key: GrantKey): MapWrite {
  return { map: GRANTS_MAP, op: 'delete', key: encodeKey(key), value: new Uint8Array(0) };
}
