// The records that speak of the session itself, and the sums a seal answers with.
import {
  type DaemonRestarted,
  type DnsUpstreamDown,
  SCHEMA_VERSION,
  type SessionEnded,
  type SessionStarted,
  type Tamper,
} from '../core/audit/event.ts';
import type { Identities } from '../core/audit/identities.ts';
import type { Loss } from '../core/audit/losses.ts';
import { COUNTER } from '../core/flow/layout.gen.ts';
import type { Cloud } from '../core/policy/cloud.ts';
import { describeAutoAllowed } from '../core/policy/describe-auto-allowed.ts';
import type { SessionSettings } from '../core/wire/session.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsProxy } from './dns-proxy-options.ts';
import type { FlowPipeline } from './flow-pipeline.ts';
import type { LateAllow } from './late-allow.ts';
import type { NotificationTracker } from './notification-tracker.ts';
import type { TrafficWatch } from './traffic-watch.ts';

const NEITHER = { would_deny: false, blocked: false } as const;

/** The first record of a log. */
export function sessionStarted(
  session: SessionSettings,
  timestamp: string,
  clockOffsetNs: bigint,
  cloud: Cloud | undefined,
): SessionStarted {
  const { mode, policy, upstreams, configFile, job } = session;
  return {
    timestamp,
    event_type: 'session_started',
    ...NEITHER,
    schema: SCHEMA_VERSION,
    mode,
    default: policy.default,
    rules: policy.rules.length,
    ...(configFile === undefined
      ? {}
      : { policy_file: configFile.path, policy_sha256: configFile.sha256 }),
    upstreams: upstreams.map(({ address, port }) => `${address} port ${port}`),
    ...(cloud === undefined ? {} : { cloud }),
    auto_allowed: describeAutoAllowed(policy, upstreams),
    clock_offset_ns: clockOffsetNs.toString(),
    repository: job.repository,
    workflow: job.workflow,
    job: job.job,
    run_id: job.runId,
    run_attempt: job.runAttempt,
  };
}

/** The daemon is back. */
export function daemonRestarted(timestamp: string, pid: number): DaemonRestarted {
  const reason = 'the daemon had ended; the kernel went on enforcing';
  return { timestamp, event_type: 'daemon_restarted', ...NEITHER, reason, pid };
}

/** What a notice of the loader's says. */
export function noticeText(notice: unknown): string {
  if (typeof notice === 'object' && notice !== null && 'what' in notice) return String(notice.what);
  return JSON.stringify(notice);
}

/** Something was changed, or can't be covered. */
export function tamper(timestamp: string, reason: string): Tamper {
  return { timestamp, event_type: 'tamper', ...NEITHER, reason };
}

/** No upstream answers. */
export function dnsUpstreamDown(
  timestamp: string,
  upstreams: readonly string[],
  reason: string,
): DnsUpstreamDown {
  return { timestamp, event_type: 'dns_upstream_down', ...NEITHER, upstreams, reason };
}

/** What the sums are taken from. */
export interface Sources {
  readonly logger: AuditLogger;
  readonly pipeline: FlowPipeline;
  readonly proxy: DnsProxy;
  readonly identities: Pick<Identities, 'unknown'>;
  readonly questions: {
    readonly unusualNames: number;
    readonly streams: { readonly refused: number };
  };
  readonly lateAllow: Pick<LateAllow, 'dropped' | 'skipped'>;
  /** Undefined without a webhook. */
  readonly notifications: NotificationTracker | undefined;
  /** By enum counter. */
  readonly kernel: readonly number[];
  readonly traffic: Pick<TrafficWatch, 'unvisited'>;
}

function unsent(tracker: NotificationTracker | undefined): number {
  return tracker === undefined ? 0 : tracker.failed + tracker.dropped + tracker.pending;
}

/** Everything that could not be kept or served, by name (I7). */
export function losses(sources: Sources): Readonly<Record<Loss, number>> {
  const { logger, pipeline, proxy, questions, lateAllow, notifications, kernel } = sources;
  const dns = proxy.totals();
  const { grantsRefused = 0, grantsEvicted = 0 } = dns;
  return {
    events: kernel[COUNTER.EVENTS_LOST] ?? 0,
    sockets: kernel[COUNTER.SOCKETS_FULL] ?? 0,
    owners: kernel[COUNTER.OWNERS_FULL] ?? 0,
    processes: kernel[COUNTER.PROCESSES_FULL] ?? 0,
    flows: kernel[COUNTER.FLOWS_FULL] ?? 0,
    identities: sources.identities.unknown,
    undecodable: pipeline.undecodable,
    records: logger.lost,
    grants_refused: grantsRefused,
    grants_evicted: grantsEvicted,
    dns_overloaded: dns.overloaded,
    dns_streams_refused: questions.streams.refused,
    dns_unowned: dns.unowned + (kernel[COUNTER.DNS_UNOWNED] ?? 0),
    dns_dropped: kernel[COUNTER.DNS_DROPPED] ?? 0,
    dns_servfail: dns.servfail,
    late_attempts: lateAllow.dropped,
    late_names: lateAllow.skipped,
    notifications: unsent(notifications),
    bytes_untold: kernel[COUNTER.BYTES_UNTOLD] ?? 0,
    traffic_unvisited: sources.traffic.unvisited,
  };
}

/** The checkpoint a seal writes. */
export function sessionEnded(
  timestamp: string,
  mode: SessionSettings['mode'],
  sources: Sources,
  sums: { readonly bytesOut: number; readonly seals: number },
): SessionEnded {
  const { logger, proxy, questions, kernel } = sources;
  const again = kernel[COUNTER.DNS_AGAIN] ?? 0;
  const totals = {
    ...logger.totals(),
    dns_questions: proxy.counters.queries + again,
    dns_answered: proxy.counters.answered + again,
    dns_answered_in_kernel: again,
    dns_refused: proxy.counters.refused,
    dns_unusual_names: questions.unusualNames,
    frames_judged: kernel[COUNTER.TC_SEEN] ?? 0,
    frames_denied: kernel[COUNTER.TC_DENIED] ?? 0,
    packets_denied: kernel[COUNTER.EGRESS_DENIED] ?? 0,
    calls_denied: kernel[COUNTER.CONNECT_DENIED] ?? 0,
    calls_steered: kernel[COUNTER.STEERED] ?? 0,
    bytes_out: sums.bytesOut,
    seals: sums.seals,
  };
  const lost = losses(sources);
  const accounts = proxy.runnerAccounts();
  const further = accounts.length === 0 ? {} : { runner_accounts: accounts };
  return { timestamp, event_type: 'session_ended', ...NEITHER, mode, totals, ...further, lost };
}
