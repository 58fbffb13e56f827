// A refused question as a record, with the asker (spec 8, dns_blocked).

import { identityFields, originName } from '../core/audit/attribute.ts';
import { MAX_NAME } from '../core/audit/caps.ts';
import type { AuditEvent } from '../core/audit/event.ts';
import type { Identity } from '../core/audit/identity.ts';
import { typeName } from '../core/dns/codes.ts';
import { isExpectedName } from '../core/policy/expected.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { DnsBlocked } from './dns-ports.ts';

/** The record of a refused question; `identity` is the asker's. */
export function dnsBlockedRecord(
  blocked: DnsBlocked,
  identity: Identity | undefined,
  { policy, timestamp }: { readonly policy: Policy; readonly timestamp: string },
): AuditEvent {
  const { asker, client, name, type, rule, reason, wouldDeny } = blocked;
  return {
    timestamp,
    event_type: 'dns_blocked',
    src_ip: client.address,
    dst_hostname: name.slice(0, MAX_NAME),
    protocol: client.proto.toUpperCase(),
    process: asker?.comm ?? '',
    pid: asker?.pid ?? 0,
    matched_rule: policy.rules[rule - 1]?.text ?? '',
    would_deny: wouldDeny,
    blocked: !wouldDeny,
    origin: asker === undefined ? 'unknown' : originName(asker.origin),
    ...(asker === undefined ? {} : { uid: asker.uid }),
    cgroup: asker?.cgroup ?? '',
    ...(isExpectedName(policy, name) ? { expected: true } : {}),
    query_type: typeName(type),
    reason,
    layer: 'dns',
    ...(asker === undefined ? {} : identityFields(asker, identity)),
  };
}
