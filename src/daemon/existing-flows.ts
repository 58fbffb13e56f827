// Flows open before the flip (spec 7): listed, admitted as these flows, listed again; after the
// flip those the policy refuses are closed, and every one is recorded. A flow that a rule denies is
// admitted too: rules come before `existing` in the kernel's order.
import { originName } from '../core/audit/attribute.ts';
import { protocolName } from '../core/audit/protocol-name.ts';
import { encodeOpenFlows, existingWrites } from '../core/flow/kernel-writes.ts';
import { SCOPE } from '../core/flow/layout.gen.ts';
import { type OpenFlow, openFlowKey, parseOpenFlows } from '../core/flow/open-flow.ts';
import { type Address, printAddress } from '../core/net/address.ts';
import { protocolOf } from '../core/net/protocol.ts';
import { type ConnectionDecision, decideConnection, neverLeaves } from '../core/policy/decide.ts';
import { isExpectedFlow } from '../core/policy/expected.ts';
import type { SessionSettings } from '../core/wire/session.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsProxy } from './dns-proxy-options.ts';
import type { Starter } from './ports.ts';

/** What admitting, closing and recording need. */
export interface ExistingFlowsOptions {
  readonly loader: Pick<Starter, 'apply' | 'listFlows' | 'closeFlows'>;
  readonly session: Pick<SessionSettings, 'mode' | 'policy' | 'allowExisting'>;
  readonly own: (address: Address) => boolean;
  readonly proxy: Pick<DnsProxy, 'grants' | 'nameOf'>;
  readonly nowMs: () => number;
  /** Our own process: its flows to the upstream are no news. */
  readonly pid: number;
}

/** A flow with what the policy says of it. */
interface JudgedFlow {
  readonly flow: OpenFlow;
  readonly decision: ConnectionDecision;
  /** Closed in mode enforce. */
  readonly isRefused: boolean;
}

/** The flow was gone before it could be closed. */
const ENOENT = -2;

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
    await options.loader.apply(fresh.flatMap((flow) => existingWrites(flow, options.nowMs())));
    for (const flow of fresh) admitted.set(openFlowKey(flow), flow);
  }
  return [...admitted.values()].filter((flow) => flow.pid !== options.pid);
}

/**
 * Closes what the policy refuses (mode audit closes nothing) and writes one `existing_connection` a
 * flow; `blocked` when it was refused, whether or not it could be closed.
 */
export async function settleExistingFlows(
  flows: readonly OpenFlow[],
  options: ExistingFlowsOptions & {
    readonly logger: AuditLogger;
    readonly timestamp: () => string;
  },
): Promise<void> {
  const { session, loader } = options;
  const judged = flows
    .map((flow) => judge(flow, options))
    .filter(({ decision }) => decision.by !== 'local');
  const refused = judged.filter(({ isRefused }) => isRefused);
  const isClosing = session.mode === 'enforce' && refused.length > 0;
  const statuses = isClosing
    ? await loader.closeFlows(encodeOpenFlows(refused.map(({ flow }) => flow)))
    : [];
  const timestamp = options.timestamp();
  for (const one of judged) {
    const status = statuses[refused.indexOf(one)] ?? 0;
    const isOpen = status !== 0 && status !== ENOENT;
    const reason = isOpen ? `refused but not closed: error ${-status}` : '';
    record(one, reason, { ...options, timestamp });
  }
}

function judge(flow: OpenFlow, options: ExistingFlowsOptions): JudgedFlow {
  const decision = decideFlow(flow, options);
  const isDenied = decision.verdict === 'deny' && flow.scope !== SCOPE.RUNNER;
  const isRefused = isDenied && (decision.by !== 'default' || !options.session.allowExisting);
  return { flow, decision, isRefused };
}

function record(
  { flow, decision, isRefused }: JudgedFlow,
  reason: string,
  options: ExistingFlowsOptions & { readonly logger: AuditLogger; readonly timestamp: string },
): void {
  const { policy } = options.session;
  const rule = policy.rules[decision.rule - 1];
  const hostname = options.proxy.nameOf(flow.dst);
  const { protocol, dst: address, dstPort: port } = flow;
  const isExpected =
    isRefused && isExpectedFlow(policy, { name: hostname, address, protocol, port });
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
        ...(isExpected ? { expected: true } : {}),
        reason,
      },
    },
    !isRefused,
  );
}

function decideFlow(flow: OpenFlow, options: ExistingFlowsOptions): ConnectionDecision {
  const protocol = protocolOf(flow.protocol);
  const { grants } = options.proxy;
  return decideConnection(
    options.session.policy,
    {
      address: flow.dst,
      protocol: flow.protocol,
      port: flow.dstPort,
      sender: flow.scope === SCOPE.RUNNER ? 'runner' : 'everyone',
      isOtherNetns: flow.isOtherNetns,
    },
    {
      localLength: () => flow.localLength,
      grant: (table) =>
        protocol && grants.live(table, flow.dst, protocol, flow.dstPort, options.nowMs()),
      isDaemonGone: false,
      upstream: undefined,
      isResolver: () => false,
    },
  );
}
