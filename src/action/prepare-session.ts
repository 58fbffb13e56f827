// Inputs, policy file and machine into one session, or every error at once, before anything on the
// runner has changed.
import { buildPolicy } from '../core/policy/build-policy.ts';
import { deniedUpstreamWarnings } from '../core/policy/denied-upstreams.ts';
import type { PolicyDocument } from '../core/policy/document.ts';
import { parseNotifyUrl } from '../core/policy/notify-url.ts';
import { renderProblem } from '../core/policy/problem.ts';
import { type JobFacts, type SessionSettings, SPEC_TIMES } from '../core/wire/session.ts';
import type { MachineResolvers } from './ports.ts';

/** What a session is made of. */
export interface SessionParts {
  /** Inputs by name, trimmed. */
  readonly texts: ReadonlyMap<string, string>;
  readonly mode: 'audit' | 'enforce';
  readonly debug: boolean;
  readonly document: PolicyDocument | undefined;
  readonly resolvers:
    | { readonly config: MachineResolvers }
    | { readonly fault: 'input' | 'machine'; readonly errors: readonly string[] };
  readonly actionsUrls: readonly { readonly name: string; readonly url: string }[];
  readonly serverUrl: string;
  readonly nonce: string;
  readonly job: JobFacts;
}

/** A session, or everything that is wrong. */
export type PreparedSession =
  | {
      readonly kind: 'session';
      readonly session: SessionSettings;
      /** Commands that stay allowed under sudo-lockdown; undefined: no lockdown. */
      readonly lockdown: readonly string[] | undefined;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'refused';
      /** What is wrong with the inputs and the policy file. */
      readonly inputErrors: readonly string[];
      /** What this machine lacks, once it can be guarded at all. */
      readonly machineErrors: readonly string[];
      readonly warnings: readonly string[];
    };

/** Puts a session together. */
export function prepareSession(parts: SessionParts): PreparedSession {
  const { texts, document, resolvers } = parts;
  const text = (name: string) => texts.get(name) ?? '';
  const built = buildPolicy(
    {
      allowedHosts: text('allowed-hosts'),
      blockedHosts: text('blocked-hosts'),
      allowedCidrs: text('allowed-cidrs'),
      blockedCidrs: text('blocked-cidrs'),
      searchDomains: text('search-domains'),
      githubServiceHosts: text('github-service-hosts'),
      azureInfraHosts: text('azure-infra-hosts'),
      expectedBlocks: text('expected-blocks'),
      sudoLockdown: text('sudo-lockdown') === 'true',
      sudoAllowCommands: text('sudo-allow-commands'),
    },
    document,
    { actionsUrls: parts.actionsUrls, serverUrl: parts.serverUrl },
  );
  const warnings = built.warnings.map(renderProblem);
  const problems = 'errors' in built ? built.errors.map(renderProblem) : [];
  const notify = parseNotifyUrl(text('notify-url'));
  if ('errors' in built || 'errors' in resolvers || 'error' in notify) {
    const errorsOf = (fault: 'input' | 'machine') =>
      'errors' in resolvers && resolvers.fault === fault ? resolvers.errors : [];
    return {
      kind: 'refused',
      inputErrors: [
        ...problems,
        ...errorsOf('input'),
        ...('error' in notify ? [notify.error] : []),
      ],
      machineErrors: errorsOf('machine'),
      warnings,
    };
  }
  const { mode, nonce, job, debug } = parts;
  const configFile =
    document === undefined
      ? {}
      : { configFile: { path: text('config-file'), sha256: document.sha256 } };
  const denied = deniedUpstreamWarnings(built.policy, resolvers.config.upstreams);
  return {
    kind: 'session',
    warnings: [...warnings, ...denied.map(renderProblem)],
    lockdown: built.lockdown.enabled ? built.lockdown.commands : undefined,
    session: {
      version: 1,
      mode,
      policy: built.policy,
      ...resolvers.config,
      times: SPEC_TIMES,
      nonce,
      job,
      allowExisting: text('allow-existing-connections') !== 'false',
      ...configFile,
      ...(notify.url === undefined ? {} : { notifyUrl: notify.url }),
      debug,
    },
  };
}
