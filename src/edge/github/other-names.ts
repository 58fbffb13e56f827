// Names of inputs that people bring along, and what they write here instead. docs/migration.md has
// the same rows; a test compares the two.

/** What to write instead of a name that isn't ours. */
export interface OtherName {
  /** Our input of the same meaning. */
  readonly input?: string;
  /** What is different, or why there is none. */
  readonly hint?: string;
}

/** The reference implementation's inputs that have another name or no counterpart here. */
export const REFERENCE_NAMES: Readonly<Record<string, OtherName>> = {
  'fail-on-unsupported': { input: 'on-unsupported', hint: 'Its values are fail and warn' },
  'audit-summary': { input: 'summary' },
  'binary-path': { hint: 'Remove it: nothing is downloaded, the binaries are part of the action' },
  'skip-actions-api': { hint: 'Remove it: the policy decides without the Actions API' },
  'api-url': { hint: 'Remove it: no service is asked, the policy is in inputs and config-file' },
  offline: { hint: 'Remove it: no service is asked' },
  'job-id': { hint: 'Remove it: the job is known; artifact-name names the artifact' },
  'api-failure-mode': { hint: 'Remove it: no service is asked' },
};

/** Inputs of other egress firewalls and runner guards. */
export const PEER_NAMES: Readonly<Record<string, OtherName>> = {
  'egress-policy': { input: 'mode', hint: 'Its values are enforce and audit' },
  'allowed-endpoints': { input: 'allowed-hosts' },
  'allowed-domains': { input: 'allowed-hosts' },
  'allow-domains': { input: 'allowed-hosts' },
  'allowed-ips': { input: 'allowed-cidrs' },
  'blocked-domains': { input: 'blocked-hosts' },
  'block-domains': { input: 'blocked-hosts' },
  'blocked-ips': { input: 'blocked-cidrs' },
  policy: { input: 'config-file', hint: 'It takes the path of a file' },
  'policy-file': { input: 'config-file' },
  'ignored-ip-nets': { input: 'allowed-cidrs' },
  prevent: { input: 'mode', hint: 'Its values are enforce and audit' },
  'fail-on-error': { input: 'on-unsupported', hint: 'Its values are fail and warn' },
  graceful: { input: 'on-unsupported', hint: 'Its values are fail and warn' },
  'dns-policy': { hint: 'Remove it: names that no rule allows are always refused' },
  'disable-sudo': { input: 'sudo-lockdown' },
  'disable-sudo-and-containers': { input: 'sudo-lockdown' },
  'enable-sudo': { input: 'sudo-lockdown', hint: 'It is its opposite' },
  'disable-telemetry': { hint: 'Remove it: there is no telemetry' },
  audit: { input: 'mode', hint: 'Write mode: audit' },
  allowlist: { input: 'allowed-hosts' },
  whitelist: { input: 'allowed-hosts' },
  'deny-hosts': { input: 'blocked-hosts' },
  'denied-hosts': { input: 'blocked-hosts' },
  blocklist: { input: 'blocked-hosts' },
  denylist: { input: 'blocked-hosts' },
  config: { input: 'config-file' },
  dns: { input: 'dns-upstream', hint: 'It takes addresses' },
  'dns-servers': { input: 'dns-upstream' },
  webhook: { input: 'notify-url' },
  'slack-webhook-endpoint': { input: 'notify-url' },
  'report-job-summary': { input: 'summary' },
  'log-level': { input: 'debug', hint: 'Its values are true and false' },
  'known-blocked-rules': { input: 'expected-blocks' },
  'egress-rules': { input: 'allowed-hosts', hint: 'What is denied goes in blocked-hosts' },
  'disable-passwordless-sudo': { input: 'sudo-lockdown' },
  'allow-metadata': { input: 'allowed-cidrs', hint: 'Write 169.254.169.254:80/tcp' },
  token: { input: 'github-token' },
  'api-key': { hint: 'Remove it: no service is asked' },
  'use-policy-store': {
    hint: 'Remove it: no service is asked, the policy is in inputs and config-file',
  },
  'disable-file-monitoring': { hint: 'Remove it: files are not watched' },
  'collect-process-info': { hint: 'Remove it: each record has its process' },
};

/** Every name that isn't ours and is answered. */
export const OTHER_NAMES: readonly string[] = Object.keys({ ...REFERENCE_NAMES, ...PEER_NAMES });
const NAMES = new Map(Object.entries({ ...PEER_NAMES, ...REFERENCE_NAMES }));

/** The sentence that answers an input we don't have; undefined when it is nobody's we know. */
export function hintFor(name: string): string | undefined {
  const known = NAMES.get(name);
  if (known === undefined) return undefined;
  const meant = known.input === undefined ? '' : `Did you mean "${known.input}"?`;
  return [meant, known.hint ?? ''].filter((part) => part !== '').join(' ');
}
