// Inputs and file united into one Policy, or every error at once.
import { autoAllowedRules, type ServiceUrl } from './auto-allowed.ts';
import { contradictions } from './contradictions.ts';
import type { PolicyDocument } from './document.ts';
import { type Lockdown, parseLockdownCommand } from './lockdown.ts';
import type { EntryKind } from './parse-entry.ts';
import {
  type ListItem,
  type ParsedList,
  parseList,
  placesIn,
  type RuleDraft,
  readAt,
  splitList,
} from './parse-list.ts';
import { EXPECTED_BLOCKS, type ParsedPolicyFile, parsePolicyFile } from './parse-policy.ts';
import type { Action, Policy, Rule } from './policy.ts';
import { type PolicyProblem, warningAt } from './problem.ts';
import { publicResolverWarnings } from './public-resolvers.ts';
import { parseSearchDomains } from './search-domain.ts';

/** The inputs that make a policy, as text. */
export interface PolicyInputs {
  readonly allowedHosts: string;
  readonly blockedHosts: string;
  readonly allowedCidrs: string;
  readonly blockedCidrs: string;
  readonly expectedBlocks: string;
  readonly searchDomains: string;
  readonly githubServiceHosts: string;
  readonly azureInfraHosts: string;
  readonly sudoLockdown: boolean;
  readonly sudoAllowCommands: string;
}

/** What of the environment a policy depends on. */
export interface PolicyEnvironment {
  /** ACTIONS_RUNTIME_URL and its like that are set. */
  readonly actionsUrls: readonly ServiceUrl[];
  /** GITHUB_SERVER_URL, or empty. */
  readonly serverUrl: string;
}

/** A policy with what is doubtful about it, or every error. */
export type BuiltPolicy =
  | {
      readonly policy: Policy;
      readonly lockdown: Lockdown;
      readonly warnings: readonly PolicyProblem[];
    }
  | { readonly errors: readonly PolicyProblem[]; readonly warnings: readonly PolicyProblem[] };

const NO_FILE: ParsedPolicyFile = {
  file: {
    default: 'deny',
    rules: [],
    searchDomains: [],
    expectedBlocks: [],
    lockdown: { enabled: false, commands: [] },
  },
  errors: [],
  warnings: [],
};

function parseInputs(inputs: PolicyInputs): readonly ParsedList<RuleDraft>[] {
  const list = (text: string, name: string, action: Action, takes: EntryKind['takes']) =>
    parseList(text, `input ${name}`, { action, takes, allowBroad: false });
  return [
    list(inputs.allowedHosts, 'allowed-hosts', 'allow', 'hosts'),
    list(inputs.blockedHosts, 'blocked-hosts', 'deny', 'hosts'),
    list(inputs.allowedCidrs, 'allowed-cidrs', 'allow', 'cidrs'),
    list(inputs.blockedCidrs, 'blocked-cidrs', 'deny', 'cidrs'),
  ];
}

function numbered(drafts: readonly RuleDraft[]): readonly Rule[] {
  return drafts.map((draft, index) => ({ id: index + 1, ...draft }));
}

const COMMANDS = 'input sudo-allow-commands';

/** The input `sudo-allow-commands`. */
function parseCommands(text: string): ParsedList<string> {
  const read = splitList(text).map((item) =>
    readAt(item.text, placesIn(COMMANDS, item), parseLockdownCommand),
  );
  return {
    items: read.flatMap(({ value }) => value?.path ?? []),
    errors: read.flatMap(({ errors }) => errors),
    warnings: read.flatMap(({ warnings }) => warnings),
  };
}

/** Commands stay possible under a lockdown only. */
function uselessCommands(
  commands: readonly ListItem[],
  isLockedDown: boolean,
): readonly PolicyProblem[] {
  const [first] = isLockedDown ? [] : commands;
  if (first === undefined) return [];
  const message = 'sudo-allow-commands changes nothing without sudo-lockdown: true';
  return [
    warningAt({ source: COMMANDS, line: first.line, column: first.column }, first.text, message),
  ];
}

/** Builds the policy of a session; nothing is built when there is any error. */
export function buildPolicy(
  inputs: PolicyInputs,
  document: PolicyDocument | undefined,
  environment: PolicyEnvironment,
): BuiltPolicy {
  const lists = parseInputs(inputs);
  const expected = parseList(inputs.expectedBlocks, 'input expected-blocks', EXPECTED_BLOCKS);
  const commands = parseCommands(inputs.sudoAllowCommands);
  const suffixes = parseSearchDomains(inputs.searchDomains, 'input search-domains');
  const parsed = document === undefined ? NO_FILE : parsePolicyFile(document);
  const auto = autoAllowedRules({ ...inputs, ...environment });
  const all = [...lists, suffixes, expected, commands, auto, parsed];
  const isLockedDown = inputs.sudoLockdown || parsed.file.lockdown.enabled;
  const user = [...lists.flatMap((list) => list.items), ...parsed.file.rules];
  const warnings = [
    ...all.flatMap((part) => part.warnings),
    ...contradictions(user),
    ...publicResolverWarnings(user),
    ...uselessCommands(splitList(inputs.sudoAllowCommands), isLockedDown),
  ];
  const errors = all.flatMap((part) => part.errors);
  if (errors.length > 0) return { errors, warnings };
  const policy: Policy = {
    default: parsed.file.default,
    rules: numbered([...user, ...auto.items]),
    searchDomains: [...new Set([...suffixes.items, ...parsed.file.searchDomains])],
    expectedBlocks: numbered([...expected.items, ...parsed.file.expectedBlocks]),
    ...(document === undefined ? {} : { hash: document.sha256 }),
  };
  const { lockdown } = parsed.file;
  return {
    policy,
    lockdown: {
      enabled: isLockedDown,
      commands: [...new Set([...commands.items, ...lockdown.commands])],
    },
    warnings,
  };
}
