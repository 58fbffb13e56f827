// Rules and grants as the kernel's maps hold them, in the layout of bpf/abi.h; a test compares the numbers
// with the generated layout.
import type { Address } from '../net/address.ts';
import type { Prefix } from '../net/cidr.ts';
import type { MapWrite } from './map-write.ts';

/** The numbers of bpf/abi.h that rules need. */
export const KERNEL = {
  mapRules: 1,
  kindUser: 0,
  kindAuto: 1,
  scopeEveryone: 0,
  scopeRunner: 1,
  scopeDaemon: 2,
  scopePlatform: 3,
  scopeLease: 4,
  verdictDeny: 0,
  verdictAllow: 1,
  keySize: 28,
  key: { prefixlen: 0, scope: 4, kind: 8, proto: 9, port: 10, addr: 12 },
  valueSize: 8,
  value: { rule: 0, verdict: 4, prefixlen: 5 },
  /** Bits of the key in front of the address that are matched whole. */
  headBits: 64,
} as const;

/** One entry of the rules trie. */
export interface RuleEntry {
  readonly scope: number;
  readonly kind: number;
  /** 0: every protocol. */
  readonly proto: number;
  /** 0: every port. */
  readonly port: number;
  /** Where the entry stands in the trie. */
  readonly key: Prefix;
  /** Length of the rule's own prefix: decides between entries of different pairs. */
  readonly length: number;
  readonly rule: number;
  readonly isAllow: boolean;
}

/** The write that puts an entry into the rules trie. */
export function ruleWrite(entry: RuleEntry): MapWrite {
  const key = new Uint8Array(KERNEL.keySize);
  const keyView = new DataView(key.buffer);
  keyView.setUint32(KERNEL.key.prefixlen, KERNEL.headBits + entry.key.length, true);
  keyView.setUint32(KERNEL.key.scope, entry.scope, true);
  keyView.setUint8(KERNEL.key.kind, entry.kind);
  keyView.setUint8(KERNEL.key.proto, entry.proto);
  keyView.setUint16(KERNEL.key.port, entry.port, true);
  key.set(entry.key.address, KERNEL.key.addr);
  const value = new Uint8Array(KERNEL.valueSize);
  const valueView = new DataView(value.buffer);
  valueView.setUint32(KERNEL.value.rule, entry.rule, true);
  valueView.setUint8(
    KERNEL.value.verdict,
    entry.isAllow ? KERNEL.verdictAllow : KERNEL.verdictDeny,
  );
  valueView.setUint8(KERNEL.value.prefixlen, entry.length);
  return { map: KERNEL.mapRules, op: 'update', key, value };
}

/** The map of grants and denials, as enum writable_map numbers it. */
export const GRANTS_MAP = 2;

const GRANT = {
  keySize: 24,
  key: { scope: 0, kind: 4, proto: 5, port: 6, addr: 8 },
  valueSize: 16,
  value: { expires: 0, rule: 8, name: 12 },
} as const;

/** What a grant or denial is for; port 0 is every port, proto 0 every protocol (denials only). */
export interface GrantKey {
  readonly scope: number;
  readonly kind: number;
  readonly proto: number;
  readonly port: number;
  readonly address: Address;
}

/** struct grant_key */
export function encodeGrantKey(grant: GrantKey): Uint8Array {
  const key = new Uint8Array(GRANT.keySize);
  const view = new DataView(key.buffer);
  view.setUint32(GRANT.key.scope, grant.scope, true);
  view.setUint8(GRANT.key.kind, grant.kind);
  view.setUint8(GRANT.key.proto, grant.proto);
  view.setUint16(GRANT.key.port, grant.port, true);
  key.set(grant.address, GRANT.key.addr);
  return key;
}

/** struct grant_value; `expiresNs` is of CLOCK_MONOTONIC. */
export function encodeGrantValue(grant: {
  readonly expiresNs: bigint;
  readonly rule: number;
  readonly name: number;
}): Uint8Array {
  const value = new Uint8Array(GRANT.valueSize);
  const view = new DataView(value.buffer);
  view.setBigUint64(GRANT.value.expires, grant.expiresNs, true);
  view.setUint32(GRANT.value.rule, grant.rule, true);
  view.setUint32(GRANT.value.name, grant.name, true);
  return value;
}
