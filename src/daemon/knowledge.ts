// What the records of a session are made with: its rules, its grants, and the answers so far.
import type { Knowledge } from '../core/audit/attribute.ts';
import type { Identities } from '../core/audit/identities.ts';
import { isExpectedFlow } from '../core/policy/expected.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { DnsProxy } from './dns-proxy-options.ts';

/** What is known about flows; `nowMs` is the monotonic clock, `clockOffsetNs` makes it a wall time. */
export function knowledgeOf(
  policy: Policy,
  {
    proxy,
    identities,
  }: {
    readonly proxy: Pick<DnsProxy, 'grants' | 'resolutions'>;
    readonly identities: Pick<Identities, 'of'>;
  },
  clockOffsetNs: bigint,
  nowMs: () => number,
): Knowledge {
  return {
    clockOffsetNs,
    ruleOf: (id) => policy.rules[id - 1],
    nameOfGrant: (id) => proxy.grants.nameOf(id),
    identityOf: (who) => identities.of(who),
    isExpected: (flow) => isExpectedFlow(policy, flow),
    namesFor: (address, forRunner) => proxy.resolutions.namesFor(address, nowMs(), forRunner),
  };
}
