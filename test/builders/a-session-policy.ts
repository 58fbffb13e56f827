// A policy as main would build it from inputs, runner hosts included.
import { buildPolicy } from '../../src/core/policy/build-policy.ts';
import type { Policy, Rule } from '../../src/core/policy/policy.ts';

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
  /** An address that may be pinged. */
  readonly icmp?: string;
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
  const { icmp } = wishes;
  const ping: Rule[] =
    icmp === undefined
      ? []
      : [
          {
            id: rules.length + 1,
            target: { kind: 'prefix', text: icmp },
            ports: [{ port: 0, protocol: 'icmp' }],
            action: 'allow',
            private: false,
            text: icmp,
            where: { source: 'test', line: 1, column: 1 },
          },
        ];
  return { ...policy, rules: [...rules, ...ping], default: wishes.default ?? 'deny' };
}
