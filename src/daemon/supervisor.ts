// The order of a start (spec 10, design 1): maps before the flip (I1), the proxy before green (I3),
// the proof before the pins, the pins before denied flows are closed. Whatever throws here ends the daemon, and so undoes the start.

import { formatTimestamp } from '../core/audit/timestamp.ts';
import { decodeGrants } from '../core/dns/grant-write.ts';
import type { PlatformCgroup } from '../core/flow/kernel-writes.ts';
import { MODE } from '../core/flow/layout.gen.ts';
import { type Address, isIPv4 } from '../core/net/address.ts';
import type { SessionSettings } from '../core/wire/session.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { DnsProxy } from './dns-proxy-options.ts';
import { admitExistingFlows, settleExistingFlows } from './existing-flows.ts';
import { compileSession, literalNames } from './install-policy.ts';
import type { Announcer, Starter } from './ports.ts';
import type { ProofEvents, ProofLine } from './proof.ts';

const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
const CONTROL_SOCKET = '/run/cargowall/control.sock';

/** What a start is made of. */
export interface StartOptions {
  readonly session: SessionSettings;
  readonly own: readonly Address[];
  /** The cgroups of the platform's services. */
  readonly platform: readonly PlatformCgroup[];
  readonly isOwn: (address: Address) => boolean;
  readonly loader: Starter & Announcer;
  readonly proxy: DnsProxy;
  /** Opens the proxy's sockets. */
  readonly listen: () => Promise<void>;
  readonly logger: AuditLogger;
  readonly proof: ProofEvents;
  /** main's word, once it has tried. */
  readonly attempts: Promise<ProofLine>;
  readonly pid: number;
  readonly clock: {
    readonly nowMs: () => number;
    readonly wallNs: () => bigint;
    readonly after: (ms: number) => Promise<void>;
  };
  /** From now on refusals are recorded. */
  readonly onFlipped: () => void;
}

function hasGlobalIPv6(own: readonly Address[]): boolean {
  const isLinkLocal = (address: Address) =>
    address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
  const isLoopback = (address: Address) => address.slice(0, 15).every((byte) => byte === 0);
  return own.some((one) => !isIPv4(one) && !isLinkLocal(one) && !isLoopback(one));
}

/** From attached to green; throws when any step fails. */
export async function startSession(options: StartOptions): Promise<void> {
  const { session, loader, proxy, logger, clock, proof } = options;
  const note = (text: string) => {
    if (session.debug) loader.stage({ stage: 'note', text });
  };
  const startMs = clock.nowMs();
  const writes = compileSession(session, options.platform);
  await loader.apply(writes);
  const tookMs = Math.round(clock.nowMs() - startMs);
  note(`${writes.length} policy entries are in the kernel, ${tookMs} ms`);
  await options.listen();
  const names = literalNames(session.policy);
  await proxy.preresolve(names);
  const { upstreamFailures = 0 } = proxy.totals();
  note(`${names.length} literal names looked up, ${upstreamFailures} questions without an answer`);
  const { pid } = options;
  const existing = { loader, session, proxy, own: options.isOwn, nowMs: clock.nowMs, pid };
  const flows = await admitExistingFlows(existing);
  note(`${flows.length} open flows are listed`);
  await loader.flip(session.mode === 'enforce' ? MODE.ENFORCE : MODE.AUDIT);
  options.onFlipped();
  const { nonce } = session;
  const ipv6 = hasGlobalIPv6(options.own);
  const wanted = { refused: `${nonce}.invalid`, granted: `${nonce}.cargowall.internal`, ipv6 };
  loader.stage({ stage: 'flipped', proof: wanted });
  const attempts = await options.attempts;
  if (attempts.kind === 'failed') throw new Error(`main's attempts: ${attempts.why}`);
  await loader.proveTc();
  note('the wall refused a raw frame on every uplink');
  await proof.complete(clock.after);
  await loader.pin();
  const timestamp = () => formatTimestamp(clock.wallNs());
  await settleExistingFlows(flows, { ...existing, logger, timestamp });
  loader.green({ stage: 'green', pid, auditLog: AUDIT_LOG, control: CONTROL_SOCKET });
}

/** After a restart by the loader: the kernel has policy and grants; names are asked afresh. */
export async function resumeSession(
  options: Pick<StartOptions, 'session' | 'loader' | 'proxy' | 'listen' | 'onFlipped'>,
): Promise<void> {
  const { session, loader, proxy } = options;
  options.onFlipped();
  proxy.takeOver(decodeGrants(await loader.grants()));
  await options.listen();
  await proxy.preresolve(literalNames(session.policy));
}
