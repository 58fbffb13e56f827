// FlowEvent + what the daemon knows of names and rules -> the record (spec 8).
import type { FlowEvent } from '../flow/flow-event.ts';
import { DECIDED_BY, LAYER, MODE, ORIGIN } from '../flow/layout.gen.ts';
import { type Address, printAddress } from '../net/address.ts';
import type { RefusedFlow } from '../policy/expected.ts';
import type { Rule } from '../policy/policy.ts';
import { MAX_NAME, MAX_OTHER_NAMES, MAX_PROCESS } from './caps.ts';
import type { AuditEvent, AuditEventType, Origin } from './event.ts';
import { type Identity, type IdentityKey, ticksOf } from './identity.ts';
import { protocolName } from './protocol-name.ts';
import { formatTimestamp } from './timestamp.ts';

/** What records need to know besides the event. */
export interface Knowledge {
  /** Added to a kernel time to make a wall time, ns. */
  readonly clockOffsetNs: bigint;
  readonly ruleOf: (id: number) => Rule | undefined;
  /** The name a grant's number stands for. */
  readonly nameOfGrant: (id: number) => string | undefined;
  /** Names last answered with an address, the latest first. */
  readonly namesFor: (address: Address, forRunner: boolean) => readonly string[];
  /** What a process runs and comes from, as the loader has told it. */
  readonly identityOf: (who: IdentityKey) => Identity | undefined;
  /** Whether `expected-blocks` lists a refusal. */
  readonly isExpected: (flow: RefusedFlow) => boolean;
}

const TCP = 6;
const UDP = 17;
const NOT_IP = 255;

const ORIGINS = new Map<number, Origin>([
  [ORIGIN.RUNNER, 'runner'],
  [ORIGIN.JOB, 'job'],
  [ORIGIN.SYSTEM, 'system'],
  [ORIGIN.DAEMON, 'daemon'],
  [ORIGIN.CONTAINER, 'container'],
]);

const LAYERS = new Map<number, string>([
  [LAYER.CONNECT, 'connect'],
  [LAYER.SENDMSG, 'sendmsg'],
  [LAYER.EGRESS, 'egress'],
  [LAYER.TC, 'tc'],
  [LAYER.SOCKET, 'socket'],
  [LAYER.SYSCALL, 'syscall'],
]);

const DECIDERS = new Map<number, string>(
  Object.entries(DECIDED_BY).map(([name, number]) => [
    number,
    name.toLowerCase().replaceAll('_', '-'),
  ]),
);

/** Families of sockets that no hook guards (linux/socket.h); RDMA's devices have a number of them. */
const FAMILIES = new Map([
  [17, 'AF_PACKET'],
  [27, 'AF_IB'],
  [40, 'AF_VSOCK'],
  [44, 'AF_XDP'],
]);

/** Whose process an event's is, in the words of the records. */
export function originName(origin: number): Origin {
  return ORIGINS.get(origin) ?? 'unknown';
}

function typeOf(event: FlowEvent): AuditEventType {
  if (event.allowed) return 'connection_allowed';
  return event.protocol === TCP || event.protocol === UDP
    ? 'connection_blocked'
    : 'protocol_blocked';
}

/** What decided, in the words of the records. */
export function deciderName(by: number): string {
  return DECIDERS.get(by) ?? 'unknown';
}

/** Why a service of the machine may answer. */
export const INBOUND = 'inbound connection';

function reasonOf(event: FlowEvent): string | undefined {
  if (event.by === DECIDED_BY.PROOF) return 'proof';
  if (event.by === DECIDED_BY.INBOUND) return INBOUND;
  if (event.by === DECIDED_BY.SOCKET) return FAMILIES.get(event.ethertype);
  if (event.protocol === NOT_IP) return `0x${event.ethertype.toString(16).padStart(4, '0')}`;
  return undefined;
}

/** `dns` for what the daemon itself sends to its upstream. */
function autoAllowedType(event: FlowEvent, rule: Rule | undefined): string | undefined {
  if (event.allowed && event.by === DECIDED_BY.DAEMON) return 'dns';
  return rule?.autoAllowedType;
}

function hostNames(
  event: FlowEvent,
  knowledge: Knowledge,
): Pick<AuditEvent, 'dst_hostname' | 'dst_hostnames'> {
  if (event.dst === undefined) return NOTHING;
  const granted = event.allowed ? knowledge.nameOfGrant(event.name) : undefined;
  if (granted !== undefined) return { dst_hostname: granted };
  const [name, ...others] = knowledge.namesFor(event.dst, event.origin === ORIGIN.RUNNER);
  if (name === undefined || event.allowed) return NOTHING;
  const dst_hostname = name.slice(0, MAX_NAME);
  if (others.length === 0) return { dst_hostname };
  return { dst_hostname, dst_hostnames: others.slice(0, MAX_OTHER_NAMES) };
}

const ALLOWED = { would_deny: false, blocked: false } as const;
const MID_STREAM = { mid_stream: true } as const;
const NOTHING = {};

// Events come in runs of one cgroup: its text is made once. Changes no answer.
let lastCgroup = { id: 0n, text: '' };

function cgroupText(id: bigint): string {
  if (id !== lastCgroup.id) lastCgroup = { id, text: id === 0n ? '' : id.toString() };
  return lastCgroup.text;
}

/** Who the process is whatever it calls itself; nothing of one that is not known. */
export function identityFields(
  { startNs }: Pick<IdentityKey, 'startNs'>,
  identity: Identity | undefined,
): Pick<AuditEvent, 'start_ticks' | 'exe' | 'ancestry'> {
  if (startNs === 0n) return NOTHING;
  const start_ticks = ticksOf(startNs);
  if (identity === undefined) return { start_ticks };
  const { exe, ancestry } = identity;
  return exe === undefined ? { start_ticks, ancestry } : { start_ticks, exe, ancestry };
}

/** The flags of the contract, and whether a refusal is a known one. */
function outcome(event: FlowEvent, name: string | undefined, knowledge: Knowledge) {
  const { allowed, by, mode, layer, dst: address, protocol, dstPort: port } = event;
  if (allowed) return ALLOWED;
  const blocked = (mode === MODE.ENFORCE && layer !== LAYER.SYSCALL) || by === DECIDED_BY.PROOF;
  const isFlow = protocol !== NOT_IP;
  const expected = isFlow && knowledge.isExpected({ name, address, protocol, port });
  return { would_deny: !blocked, blocked, ...(expected ? { expected } : NOTHING) };
}

/** The record of one event; empty text and 0 are unknown, and left out of the log. */
export function attribute(event: FlowEvent, knowledge: Knowledge): AuditEvent {
  const rule = event.rule === 0 ? undefined : knowledge.ruleOf(event.rule);
  const names = hostNames(event, knowledge);
  return {
    timestamp: formatTimestamp(event.monotonicNs + knowledge.clockOffsetNs),
    event_type: typeOf(event),
    src_ip: event.src === undefined ? '' : printAddress(event.src),
    dst_ip: event.dst === undefined ? '' : printAddress(event.dst),
    ...names,
    dst_port: event.dstPort,
    protocol: protocolName(event.protocol),
    process: event.comm.slice(0, MAX_PROCESS),
    pid: event.pid,
    matched_rule: rule?.text ?? '',
    auto_allowed_type: autoAllowedType(event, rule) ?? '',
    ...outcome(event, names.dst_hostname, knowledge),
    origin: originName(event.origin),
    uid: event.pid === 0 ? 0 : event.uid,
    cgroup: cgroupText(event.cgroup),
    ...(event.midStream ? MID_STREAM : NOTHING),
    count: event.count > 1 ? event.count : 0,
    reason: reasonOf(event) ?? '',
    decided_by: deciderName(event.by),
    layer: LAYERS.get(event.layer) ?? 'unknown',
    ...identityFields(event, knowledge.identityOf(event)),
  };
}
