// Answers made without asking anybody: local names, reverse names, and the proof's canary.
import { CLASS_IN, TYPE } from '../core/dns/codes.ts';
import type { GrantRequest } from '../core/dns/grants.ts';
import { encodeName } from '../core/dns/name.ts';
import type { ResourceRecord } from '../core/dns/record.ts';
import { segment } from '../core/dns/segment.ts';
import { type Address, isIPv4 } from '../core/net/address.ts';
import { emptyPairs } from '../core/net/pair-set.ts';

const TTL_SECONDS = 60;

/** 203.0.113.254, where the proof's name resolves to and the canary listens (spec 10). */
const CANARY = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 254);

const CANARY_SEGMENT = segment({
  kind: 'user',
  pairs: { ...emptyPairs(), tcp: { kind: 'some', ports: [443] } },
  rule: 0,
  private: false,
});

function addressRecord(name: string, address: Address): ResourceRecord {
  const type = isIPv4(address) ? TYPE.A : TYPE.AAAA;
  return { name, type, class: CLASS_IN, ttl: TTL_SECONDS, data: { kind: 'address', address } };
}

/** The records of a local name: its addresses of the asked family. */
export function localRecords(
  name: string,
  type: number,
  addresses: readonly Address[],
): readonly ResourceRecord[] {
  return addresses
    .map((address) => addressRecord(name, address))
    .filter((record) => record.type === type);
}

/** A reverse name's answer. */
export function reverseRecord(reverseName: string, name: string): ResourceRecord {
  const data = { kind: 'raw', rdata: encodeName(name) } as const;
  return { name: reverseName, type: TYPE.PTR, class: CLASS_IN, ttl: TTL_SECONDS, data };
}

/** The canary's A record; no other type. */
export function canaryRecords(name: string, type: number): readonly ResourceRecord[] {
  return localRecords(name, type, [CANARY]);
}

/** The canary's grant: TCP 443. */
export function canaryGrant(name: string, nowMs: number, lifetimeMs: number): GrantRequest {
  const grants = [{ address: CANARY, grants: [CANARY_SEGMENT], denials: [] }];
  return { name, grants, expiresAtMs: nowMs + lifetimeMs, nowMs };
}
