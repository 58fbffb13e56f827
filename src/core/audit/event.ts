// The records of the audit log (spec 8): the contract's fields first, in its order and spelling,
// then ours, all optional. Types and jsonl.ts are the one place that knows the schema.

/** Version of the further fields and kinds; the contract's fields never change. */
export const SCHEMA_VERSION = 1;

/** The contract's kinds of events. */
export type AuditEventType =
  | 'connection_blocked'
  | 'connection_allowed'
  | 'connection_late_allowed'
  | 'protocol_blocked'
  | 'dns_blocked'
  | 'existing_connection';

/** Whether an event says that a connection was let through, at once or after a late answer. */
export function isConnectionAllowed(type: AuditEventType): boolean {
  return type === 'connection_allowed' || type === 'connection_late_allowed';
}

/** Whose process it was. `container`: a network namespace of its own. */
export type Origin = 'runner' | 'job' | 'system' | 'daemon' | 'container' | 'unknown';

/** What of an event belongs to the contract; empty and 0 fields are left out of the line. */
export interface ContractFields {
  /** UTC with `Z` and nine digits. */
  readonly timestamp: string;
  readonly event_type: AuditEventType;
  readonly src_ip?: string;
  readonly dst_ip?: string;
  readonly dst_hostname?: string;
  readonly dst_port?: number;
  readonly protocol?: string;
  readonly process?: string;
  readonly pid?: number;
  /** The deciding rule's target as normalised, without ports. */
  readonly matched_rule?: string;
  readonly auto_allowed_type?: string;
  readonly would_deny: boolean;
  readonly blocked: boolean;
}

/** A program's file, by the kernel's numbers. */
export interface Exe {
  /** The device of its file system, `major:minor`. */
  readonly dev: string;
  /** Inode number, decimal. */
  readonly ino: string;
  /** The last part of its name, which says nothing: whoever makes a file names it. */
  readonly name?: string;
  /** No name leads to it: deleted, or a memfd. */
  readonly deleted?: true;
}

/** A process as it was when it started the one below it. */
export interface Ancestor {
  readonly pid: number;
  readonly start_ticks: number;
  /** What it called itself. */
  readonly process: string;
  readonly exe?: Exe;
}

/** What happened on the network. */
export interface AuditEvent extends ContractFields {
  readonly origin?: Origin;
  readonly uid?: number;
  /** cgroup v2 id, decimal */
  readonly cgroup?: string;
  /** When the process started, in 1/100 s since boot: field 22 of /proc/PID/stat. */
  readonly start_ticks?: number;
  readonly exe?: Exe;
  /** Its ancestors, the parent first, up to pid 1, eight at most. */
  readonly ancestry?: readonly Ancestor[];
  /** Names whose latest answers held the address of a block, the first one left out. */
  readonly dst_hostnames?: readonly string[];
  /** The type of a DNS question: `A`, `AAAA`, `TYPE65` … */
  readonly query_type?: string;
  /** A flow that was open before its first record. */
  readonly mid_stream?: boolean;
  /** A refusal that `expected-blocks` lists. */
  readonly expected?: boolean;
  /** Attempts the record stands for, when more than one. */
  readonly count?: number;
  /** Of several attempts, the time of the last; `timestamp` is the first's. */
  readonly last_seen?: string;
  /** `proof` traffic is never counted. */
  readonly reason?: string;
  /** What decided: `rule`, `denial`, `grant`, `auto`, `default` … */
  readonly decided_by?: string;
  /** The layer that saw it: `connect`, `sendmsg`, `egress`, `tc`, `dns`. */
  readonly layer?: string;
}

/** Sums of a session, by name. */
export type Totals = Readonly<Record<string, number>>;

interface SessionEventBase {
  readonly timestamp: string;
  readonly would_deny: false;
  readonly blocked: false;
}

/** Auto-allowed traffic of one type. */
export interface AutoAllowed {
  readonly type: string;
  readonly whose: 'every step' | 'the runner' | 'the runner and the platform' | 'the daemon';
  readonly targets: readonly string[];
}

/** The first record of a log. */
export interface SessionStarted extends SessionEventBase {
  readonly event_type: 'session_started';
  readonly schema: number;
  readonly mode: 'audit' | 'enforce';
  readonly default: 'allow' | 'deny';
  readonly rules: number;
  readonly policy_file?: string;
  readonly policy_sha256?: string;
  readonly upstreams: readonly string[];
  /** The cloud the machine is in, where one was detected. */
  readonly cloud?: string;
  /** What is auto-allowed, by type and for whom; targets with their ports. */
  readonly auto_allowed?: readonly AutoAllowed[];
  /** What is added to a kernel time to make a wall time, ns, decimal. */
  readonly clock_offset_ns: string;
  readonly repository?: string;
  readonly workflow?: string;
  readonly job?: string;
  readonly run_id?: string;
  readonly run_attempt?: string;
}

/** A checkpoint: records may follow, until the machine or the session ends. */
export interface SessionEnded extends SessionEventBase {
  readonly event_type: 'session_ended';
  readonly mode: 'audit' | 'enforce';
  /** Records by type, and attempts. */
  readonly totals: Totals;
  /** Further storage accounts that runner processes asked for. */
  readonly runner_accounts?: readonly string[];
  /** Everything that could not be kept; all zero in a good run. */
  readonly lost: Totals;
}

/** Something of ours was changed by somebody else. */
export interface Tamper extends SessionEventBase {
  readonly event_type: 'tamper';
  readonly reason: string;
}

/** The daemon was started again by the loader. */
export interface DaemonRestarted extends SessionEventBase {
  readonly event_type: 'daemon_restarted';
  readonly reason: string;
  readonly pid: number;
}

/** No upstream answered; at most one record a minute. */
export interface DnsUpstreamDown extends SessionEventBase {
  readonly event_type: 'dns_upstream_down';
  readonly upstreams: readonly string[];
  readonly reason: string;
}

/** What one process had sent to one destination when the session was sealed; each seal says it anew. */
export interface Traffic {
  readonly timestamp: string;
  readonly event_type: 'traffic';
  readonly dst_ip: string;
  readonly dst_hostname?: string;
  /** 0: none, or not known. */
  readonly dst_port: number;
  readonly protocol: string;
  /** Empty where no process is known: what containers send is counted at the wall. */
  readonly process: string;
  readonly matched_rule: string;
  readonly auto_allowed_type: string;
  /** It passed in mode audit; enforce would have refused it. */
  readonly would_deny: boolean;
  readonly blocked: false;
  readonly origin: Origin;
  /** Further names that were answered with the address: some of the bytes may be theirs. */
  readonly dst_hostnames?: readonly string[];
  readonly decided_by: string;
  /** Payload of the packets that passed, those sent again included. */
  readonly bytes_out: number;
}

/** The job has sent more than the threshold to one host; once a host. */
export interface LargeUpload extends SessionEventBase {
  readonly event_type: 'large_upload';
  /** Where no name is known. */
  readonly dst_ip: string;
  readonly dst_hostname: string;
  readonly reason: string;
  readonly bytes_out: number;
}

/** Very many names below an allowed one, or labels that look like data; at most two records a rule. */
export interface DnsUnusual extends SessionEventBase {
  readonly event_type: 'dns_unusual';
  /** Who asked for the last of them. */
  readonly process?: string;
  readonly pid?: number;
  readonly matched_rule: string;
  readonly reason: string;
  /** Distinct names, by estimate. */
  readonly names: number;
  /** What labels that look like data may have carried. */
  readonly bytes: number;
  /** Characters. */
  readonly longest_label: number;
  /** The last of the names. */
  readonly example: string;
}

/** What happened to the session itself. */
export type SessionEvent =
  | SessionStarted
  | SessionEnded
  | Tamper
  | DaemonRestarted
  | DnsUpstreamDown
  | DnsUnusual;

/** One line of the audit log. */
export type AuditRecord = AuditEvent | Traffic | LargeUpload | SessionEvent;
