// What the daemon writes once at a start besides rules: the policy record, resolvers, open flows.
import type { Address } from '../net/address.ts';
import type { MapWrite } from '../policy/map-write.ts';
import { DECIDED_BY, OFFSET, SCOPE, SIZE, VERDICT, WRITABLE_MAP } from './layout.gen.ts';
import type { OpenFlow } from './open-flow.ts';

/** Where runner processes' port 53 goes while the daemon is gone. */
export interface WayOut {
  readonly address: Address;
  readonly port: number;
}

/** struct policy_config */
export function policyWrite(policy: {
  readonly generation: number;
  readonly allowByDefault: boolean;
  readonly wayOut: WayOut | undefined;
  readonly flowIdleMs: number;
  /** Flows open before the flip go on where no rule decides. */
  readonly allowExisting: boolean;
}): MapWrite {
  const value = new Uint8Array(SIZE.policy_config);
  const view = new DataView(value.buffer);
  const at = OFFSET.policy_config;
  view.setUint32(at.generation, policy.generation, true);
  view.setUint32(at.default_verdict, policy.allowByDefault ? VERDICT.ALLOW : VERDICT.DENY, true);
  if (policy.wayOut !== undefined) {
    value.set(policy.wayOut.address, at.upstream);
    view.setUint16(at.upstream_port, policy.wayOut.port, true);
  }
  view.setUint16(at.refuse_existing, policy.allowExisting ? 0 : 1, true);
  view.setBigUint64(at.flow_idle_ns, BigInt(policy.flowIdleMs) * 1_000_000n, true);
  return { map: WRITABLE_MAP.POLICY, op: 'update', key: new Uint8Array(4), value };
}

/** A fixed service of the machine by its cgroup's id. */
export interface PlatformCgroup {
  readonly id: bigint;
  /** A DHCP client: the machine's lease and nothing else. */
  readonly isLeaseOnly: boolean;
}

/** Processes of this cgroup are the platform's (scope platform), or a DHCP client's (scope lease). */
export function platformWrite({ id, isLeaseOnly }: PlatformCgroup): MapWrite {
  const key = new Uint8Array(SIZE.cgroup_key);
  new DataView(key.buffer).setBigUint64(OFFSET.cgroup_key.id, id, true);
  const value = new Uint8Array(SIZE.cgroup_value);
  const scope = isLeaseOnly ? SCOPE.LEASE : SCOPE.PLATFORM;
  new DataView(value.buffer).setUint32(OFFSET.cgroup_value.scope, scope, true);
  return { map: WRITABLE_MAP.CGROUPS, op: 'update', key, value };
}

/** Port 53 of this address is steered wherever it lies. */
export function resolverWrite(address: Address): MapWrite {
  const key = address.slice();
  return { map: WRITABLE_MAP.RESOLVERS, op: 'update', key, value: Uint8Array.of(1, 0, 0, 0) };
}

/** struct flow_key */
function flowKey(flow: OpenFlow): Uint8Array {
  const key = new Uint8Array(SIZE.flow_key);
  const view = new DataView(key.buffer);
  key.set(flow.src, OFFSET.flow_key.src);
  key.set(flow.dst, OFFSET.flow_key.dst);
  view.setUint16(OFFSET.flow_key.sport, flow.srcPort, true);
  view.setUint16(OFFSET.flow_key.dport, flow.dstPort, true);
  view.setUint8(OFFSET.flow_key.proto, flow.protocol);
  return key;
}

/** struct flow_key and the namespace's inode number (u64) of each: the payload of CLOSE_FLOWS. */
export function encodeOpenFlows(flows: readonly OpenFlow[]): Uint8Array {
  const size = SIZE.flow_key + 8;
  const bytes = new Uint8Array(size * flows.length);
  const view = new DataView(bytes.buffer);
  for (const [index, flow] of flows.entries()) {
    bytes.set(flowKey(flow), index * size);
    view.setBigUint64(index * size + SIZE.flow_key, BigInt(flow.netns), true);
  }
  return bytes;
}

/** A flow open before the flip goes on as this one flow (spec 7), inside and behind NAT; idle from now. */
export function existingWrites(flow: OpenFlow, nowMs: number): readonly MapWrite[] {
  const value = new Uint8Array(SIZE.flow_value);
  const view = new DataView(value.buffer);
  view.setBigUint64(OFFSET.flow_value.last_ns, BigInt(Math.floor(nowMs * 1e6)), true);
  view.setUint8(OFFSET.flow_value.verdict, VERDICT.ALLOW);
  view.setUint8(OFFSET.flow_value.by, DECIDED_BY.EXISTING);
  view.setUint16(OFFSET.flow_value.scope, flow.scope, true);
  const forms = flow.translated ? [flow, { ...flow, ...flow.translated }] : [flow];
  return forms.map((form) => ({
    map: WRITABLE_MAP.EXISTING,
    op: 'update',
    key: flowKey(form),
    value,
  }));
}
