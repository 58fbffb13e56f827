// A policy as main would build it from inputs, runner hosts included.
import { buildPolicy } from '../../src/core/policy/build-policy.ts';
import type { Policy } from '../../src/core/policy/policy.ts';

/** What a test says of its policy; lists are input text. */
export interface PolicyWishes {
  readonly allow?: string;
  readonly block?: string;
  readonly searchDomains?: string;
  readonly default?: Policy['default'];
  /** Targets whose rules say `private: true`. */
  readonly private?: readonly string[];
  readonly githubServiceHosts?: string;
  readonly expected?: string;
}

/** Builds the policy or throws its first error. */
export function aSessionPolicy(wishes: PolicyWishes): Policy {
  const built = buildPolicy(
    {
      allowedHosts: wishes.allow ?? '',
      blockedHosts: wishes.block ?? '',
      allowedCidrs: '',
      blockedCidrs: '',
      searchDomains: wishes.searchDomains ?? '',
      githubServiceHosts: wishes.githubServiceHosts ?? 'none',
      azureInfraHosts: 'none',
      sudoLockdown: false,
      sudoAllowCommands: '',
      expectedBlocks: wishes.expected ?? '',
    },
    undefined,
    { actionsUrls: [], serverUrl: '' },
  );
  if ('errors' in built) throw new Error(JSON.stringify(built.errors[0]));
  const { policy } = built;
  const rules = policy.rules.map((rule) => ({
    ...rule,
    private: wishes.private?.includes(rule.text) ?? false,
  }));
  return { ...policy, rules, default: wishes.default ?? 'deny' };
}
