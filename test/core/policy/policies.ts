// Policies for tests, made of the same text that users write.
import { buildPolicy, type PolicyInputs } from '../../../src/core/policy/build-policy.ts';
import type { Policy } from '../../../src/core/policy/policy.ts';
import { renderProblem } from '../../../src/core/policy/problem.ts';

const NONE: PolicyInputs = {
  allowedHosts: '',
  blockedHosts: '',
  allowedCidrs: '',
  blockedCidrs: '',
  searchDomains: '',
  githubServiceHosts: 'none',
  azureInfraHosts: 'none',
  expectedBlocks: '',
  sudoLockdown: false,
  sudoAllowCommands: '',
};

/** What buildPolicy makes of inputs alone. */
export function built(inputs: Partial<PolicyInputs>) {
  return buildPolicy({ ...NONE, ...inputs }, undefined, { actionsUrls: [], serverUrl: '' });
}

/** A policy from inputs; throws when there is any error. */
export function aPolicy(
  inputs: Partial<PolicyInputs>,
  fallback: Policy['default'] = 'deny',
): Policy {
  const result = built(inputs);
  if ('errors' in result) throw new Error(result.errors.map(renderProblem).join('\n'));
  return { ...result.policy, default: fallback };
}
