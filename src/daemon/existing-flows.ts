// Flows open before the flip (spec 7): listed, admitted as these flows, listed again, recorded.
// A flow that a rule denies is written too: rules come before `existing` in the kernel's order.
import { originName } from '../core/audit/attribute.ts';
import { protocolName } from '../core/audit/protocol-name.ts';
import { existingWrite } from '../core/flow/kernel-writes.ts';
import { SCOPE } from '../core/flow/layout.gen.ts';
import { type OpenFlow, openFlowKey, parseOpenFlows } from '../core/flow/open-flow.ts';
import { type Address, printAddress } from '../core/net/address.ts';
import { protocolOf } from '../core/net/protocol.ts';
import { decideConnection, neverLeaves } from '../core/policy/decide.ts';
import { isExpectedFlow } from '../core/policy/expected.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsProxy } from './dns-proxy-options.ts';
import type { Starter } from './ports.ts';

/** What admitting needs. */
export interface ExistingFlowsOptions {
  readonly loader: Pick<Starter, 'apply' | 'listFlows'>;
  readonly policy: Policy;
  readonly own: (address: Address) => boolean;
  readonly proxy: Pick<DnsProxy, 'grants' | 'nameOf'>;
  readonly nowMs: () => number;
  /** Our own process: its flows to the upstream are no news. */
  readonly pid: number;
}

/** Lists twice, so that a flow opened between list and write is not missed; what leaves only. */
export async function admitExistingFlows(
  options: ExistingFlowsOptions,
): Promise<readonly OpenFlow[]> {
  const admitted = new Map<string, OpenFlow>();
  for (let round = 0; round < 2; round++) {
    const { flows } = parseOpenFlows(await options.loader.listFlows());
    const fresh = flows.filter(
      (flow) =>
        !admitted.has(openFlowKey(flow)) && !neverLeaves(flow.dst) && !options.own(flow.dst),
    );
    await options.loader.apply(fresh.map(existingWrite));
    for (const flow of fresh) admitted.set(openFlowKey(flow), flow);
  }
  return [...admitted.values()].filter((flow) => flow.pid !== options.pid);
}

/** One `existing_connection` a flow; `blocked` when its packets are refused from now on. */
export function recordExistingFlows(
  flows: readonly OpenFlow[],
  options: ExistingFlowsOptions & { readonly logger: AuditLogger; readonly timestamp: string },
): void {
  for (const flow of flows) {
    const decision = decideFlow(flow, options);
    const isDenied = decision.verdict === 'deny' && decision.by !== 'default';
    const rule = options.policy.rules[decision.rule - 1];
    const hostname = options.proxy.nameOf(flow.dst);
    const { protocol, dst: address, dstPort: port } = flow;
    const refused = { name: hostname, address, protocol, port };
    options.logger.logExistingConnection(
      {
        timestamp: options.timestamp,
        srcIp: printAddress(flow.src),
        dstIp: printAddress(flow.dst),
        hostname: hostname ?? '',
        dstPort: flow.dstPort,
        protocol: protocolName(flow.protocol),
        process: flow.comm,
        pid: flow.pid,
        matchedRule: rule?.text ?? '',
        autoAllowedType: rule?.autoAllowedType ?? '',
        more: {
          origin: originName(flow.origin),
          uid: flow.uid,
          ...(isDenied && isExpectedFlow(options.policy, refused) ? { expected: true } : {}),
        },
      },
      isDenied && flow.scope !== SCOPE.RUNNER,
    );
  }
}

function decideFlow(flow: OpenFlow, options: ExistingFlowsOptions) {
  const protocol = protocolOf(flow.protocol);
  const isGranted = () =>
    protocol !== undefined &&
    options.proxy.grants.liveNames(flow.dst, protocol, flow.dstPort, options.nowMs()).length > 0;
  return decideConnection(
    options.policy,
    {
      address: flow.dst,
      protocol: flow.protocol,
      port: flow.dstPort,
      sender: flow.scope === SCOPE.RUNNER ? 'runner' : 'everyone',
      isOtherNetns: false,
    },
    {
      localLength: () => undefined,
      grant: (kind) => (kind !== 'denial' && isGranted() ? { rule: 0 } : undefined),
      isDaemonGone: false,
      upstream: undefined,
      isResolver: () => false,
    },
  );
}
