// The policy on its way to the kernel: everything that must be there before anything refuses (I1).
import {
  type PlatformCgroup,
  platformWrite,
  policyWrite,
  resolverWrite,
} from '../core/flow/kernel-writes.ts';
import { type Address, parseAddress } from '../core/net/address.ts';
import { compilePolicy, compileUpstreams } from '../core/policy/compile.ts';
import type { MapWrite } from '../core/policy/map-write.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { SessionSettings } from '../core/wire/session.ts';

/** A session has one policy; a second one would be the next generation. */
const GENERATION = 1;

/** All entries of a session's policy; `platform`: the cgroups of the platform's services. */
export function compileSession(
  session: SessionSettings,
  platform: readonly PlatformCgroup[],
): readonly MapWrite[] {
  const { policy, times } = session;
  const upstreams = session.upstreams.map(({ address, port }) => ({
    address: needed(address),
    port,
  }));
  const wayOut = upstreams[0];
  return [
    policyWrite({
      generation: GENERATION,
      allowByDefault: policy.default === 'allow',
      wayOut,
      flowIdleMs: times.flowIdleMs,
      allowExisting: session.allowExisting,
    }),
    ...compileUpstreams(upstreams),
    ...session.resolvers.map((text) => resolverWrite(needed(text))),
    ...platform.map(platformWrite),
    ...compilePolicy(policy),
  ];
}

function needed(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`"${text}" in the session is no address`);
  return address;
}

/** The literal names a policy allows, runner hosts included: looked up before green. */
export function literalNames(policy: Policy): readonly string[] {
  const names = policy.rules.flatMap(({ action, target }) =>
    action === 'allow' && target.kind === 'name' ? [target.name] : [],
  );
  return [...new Set(names)];
}
