// Bytes sent -> the records of a seal, and of hosts that were sent much (spec 8, bytes_out).
import { DECIDED_BY, ORIGIN } from '../flow/layout.gen.ts';
import type { TrafficTotal } from '../flow/traffic.ts';
import { printAddress } from '../net/address.ts';
import { deciderName, type Knowledge, originName } from './attribute.ts';
import { MAX_NAME, MAX_OTHER_NAMES, MAX_PROCESS } from './caps.ts';
import type { LargeUpload, Origin, Traffic } from './event.ts';
import { protocolName } from './protocol-name.ts';

/**
 * What the job may send to one host before a record says so. Reports, packages and most images of a
 * build are below; a source tree with its history, a data set or a disk is above.
 */
export const LARGE_UPLOAD_BYTES = 100_000_000;

/** What the records of traffic need to know. */
export type TrafficKnowledge = Pick<Knowledge, 'ruleOf' | 'nameOfGrant' | 'namesFor'> & {
  /** The name of an address in the log so far, for grants of a daemon that is gone. */
  readonly nameInLog: (address: string) => string | undefined;
};

/** The daemon's questions to its upstream and the proof are no traffic of anybody's. */
function isOwn({ origin, by }: TrafficTotal): boolean {
  return by === DECIDED_BY.PROOF || (origin === ORIGIN.DAEMON && by === DECIDED_BY.DAEMON);
}

function namesOf(total: TrafficTotal, knowledge: TrafficKnowledge) {
  const seen = knowledge.namesFor(total.dst, total.origin === ORIGIN.RUNNER);
  const granted =
    total.name === 0
      ? undefined
      : (knowledge.nameOfGrant(total.name) ?? knowledge.nameInLog(printAddress(total.dst)));
  const isGuess = total.name !== 0 || !total.allowed;
  const name = granted ?? (isGuess ? seen[0] : undefined);
  const others = seen.filter((one) => one !== name).slice(0, MAX_OTHER_NAMES);
  return {
    ...(name === undefined ? {} : { dst_hostname: name.slice(0, MAX_NAME) }),
    ...(others.length === 0 ? {} : { dst_hostnames: others }),
  };
}

function recordOf(total: TrafficTotal, knowledge: TrafficKnowledge, timestamp: string): Traffic {
  const rule = total.rule === 0 ? undefined : knowledge.ruleOf(total.rule);
  return {
    timestamp,
    event_type: 'traffic',
    dst_ip: printAddress(total.dst),
    ...namesOf(total, knowledge),
    dst_port: total.port,
    protocol: protocolName(total.protocol),
    process: total.comm.slice(0, MAX_PROCESS),
    matched_rule: rule?.text ?? '',
    auto_allowed_type: rule?.autoAllowedType ?? '',
    would_deny: !total.allowed,
    blocked: false,
    origin: originName(total.origin),
    decided_by: deciderName(total.by),
    bytes_out: total.bytes,
  };
}

/** The records of all that was sent, the most first. */
export function trafficRecords(
  totals: readonly TrafficTotal[],
  knowledge: TrafficKnowledge,
  timestamp: string,
): readonly Traffic[] {
  return totals
    .filter((total) => !isOwn(total))
    .toSorted((one, other) => other.bytes - one.bytes)
    .map((total) => recordOf(total, knowledge, timestamp));
}

/** What a record's bytes were sent to, as people name it. */
export function hostOf({ dst_hostname = '', dst_ip }: Pick<Traffic, 'dst_hostname' | 'dst_ip'>) {
  return dst_hostname === '' ? dst_ip : dst_hostname;
}

/** The job's own, containers included; what nobody could be named for counts as its own. */
export function isJobs(origin: Origin): boolean {
  return origin === 'job' || origin === 'container' || origin === 'unknown';
}

/** A record for each host that the job has sent more than the threshold. */
export function largeUploads(
  records: readonly Traffic[],
  timestamp: string,
  threshold = LARGE_UPLOAD_BYTES,
): readonly LargeUpload[] {
  const hosts = new Map<string, LargeUpload>();
  for (const record of records) {
    if (!isJobs(record.origin)) continue;
    const host = hostOf(record);
    const bytes_out = (hosts.get(host)?.bytes_out ?? 0) + record.bytes_out;
    hosts.set(host, {
      timestamp,
      event_type: 'large_upload',
      would_deny: false,
      blocked: false,
      dst_ip: record.dst_hostname === undefined ? record.dst_ip : '',
      dst_hostname: record.dst_hostname ?? '',
      reason: `the job has sent more than ${threshold / 1_000_000} MB to this host`,
      bytes_out,
    });
  }
  return [...hosts.values()].filter(({ bytes_out }) => bytes_out > threshold);
}
