// What the runner and the platform need without the user asking for it: constant tables and the
// rules made of them. Blocking the runner hosts loses logs or has the machine reclaimed.
import type { EntryKind } from './parse-entry.ts';
import { type ParsedList, parseList, placesIn, type RuleDraft, splitList } from './parse-list.ts';
import type { AutoAllowedType, Place } from './policy.ts';
import { errorAt, type PolicyProblem, warningAt } from './problem.ts';

/** An environment variable that holds the address of one of GitHub's services. */
export interface ServiceUrl {
  readonly name: string;
  readonly url: string;
}

/** What the auto-allowed rules depend on. */
export interface AutoInputs {
  /** Empty: the defaults; `none`: no host; else entries. */
  readonly githubServiceHosts: string;
  readonly azureInfraHosts: string;
  readonly actionsUrls: readonly ServiceUrl[];
  /** GITHUB_SERVER_URL. */
  readonly serverUrl: string;
}

const SOURCE = 'auto-allowed';
const WHERE: Place = { source: SOURCE, line: 1, column: 1 };
const ALLOW: EntryKind = { action: 'allow', takes: 'any', allowBroad: false };
const NONE_EXPECTED = 'hosts, or "none" alone: it turns the whole list off';
const HTTPS = [{ port: 443, protocol: 'tcp' }] as const;

/** What steps reach by default; the input `github-service-hosts` replaces it. */
const GITHUB_SERVICE_HOSTS = [
  '=github.com',
  '=api.github.com',
  '=codeload.github.com',
  '=objects.githubusercontent.com',
  '=release-assets.githubusercontent.com',
  '=avatars.githubusercontent.com',
  '=github.githubassets.com',
  'actions.githubusercontent.com',
  'githubapp.com',
];

/** Storage accounts of artifacts, caches and logs, as GitHub's reference for self-hosted runners names them. */
const STORAGE_ACCOUNTS = Array.from(
  { length: 20 },
  (_, index) => `=productionresultssa${index}.blob.core.windows.net`,
);

const RUNNER_HOSTS = [
  '=github.com',
  '=api.github.com',
  '=codeload.github.com',
  'actions.githubusercontent.com',
  'githubapp.com',
  ...STORAGE_ACCOUNTS,
];

interface AddressRow {
  readonly entry: string;
  readonly type: AutoAllowedType;
  readonly reason: string;
}

const METADATA: AddressRow = {
  entry: '169.254.169.254:80/tcp',
  type: 'cloud_metadata',
  reason: 'instance metadata, for the runner and the platform',
};
const WIRE_SERVER: AddressRow = {
  entry: '168.63.129.16:80/tcp;32526/tcp;67/udp',
  type: 'azure_infrastructure',
  reason: 'the platform agent, for the runner and the platform',
};
/** A machine that can't renew its lease loses its address in the middle of a job. */
const LEASE: AddressRow = {
  entry: '0.0.0.0/0:67/udp\n::/0:547/udp',
  type: 'dhcp',
  reason: "the machine's own lease, for the runner and the platform",
};
const SERVICE_SUFFIX = 'actions.githubusercontent.com';

interface Label {
  readonly type: AutoAllowedType;
  readonly reason: string;
}

function labelled(draft: RuleDraft, { type, reason }: Label): RuleDraft {
  return { ...draft, reason, autoAllowedType: type };
}

function onHttps(draft: RuleDraft): RuleDraft {
  return { ...draft, ports: draft.ports ?? HTTPS };
}

function constantRules(entries: readonly string[], label: Label): readonly RuleDraft[] {
  return parseList(entries.join('\n'), SOURCE, ALLOW).items.map((draft) =>
    labelled({ ...draft, where: WHERE }, label),
  );
}

function hostList(
  text: string,
  input: string,
  defaults: readonly string[],
  label: Label,
): ParsedList<RuleDraft> {
  const source = `input ${input}`;
  const entries = splitList(text);
  if (entries.length === 0) {
    return { items: constantRules(defaults, label).map(onHttps), errors: [], warnings: [] };
  }
  const none = entries.find((entry) => entry.text.toLowerCase() === 'none');
  if (none !== undefined) {
    const where = placesIn(source, none)(0);
    const errors = entries.length > 1 ? [errorAt(where, none.text, NONE_EXPECTED)] : [];
    return { items: [], errors, warnings: [] };
  }
  const parsed = parseList(text, source, { ...ALLOW, takes: 'names' });
  return { ...parsed, items: parsed.items.map((draft) => onHttps(labelled(draft, label))) };
}

function parseUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url : undefined;
}

function isAtOrBelow(host: string, suffix: string): boolean {
  return host === suffix || host.endsWith(`.${suffix}`);
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** The rule of one service's host, or undefined when it is no name of GitHub's. */
function serviceUrlRule({ name, url: text }: ServiceUrl, server: string): RuleDraft | undefined {
  const url = parseUrl(text);
  if (url === undefined || /^[\d.]+$|:/u.test(url.hostname)) return undefined;
  const suffixes = server === '' ? [SERVICE_SUFFIX] : [SERVICE_SUFFIX, server];
  if (!suffixes.some((suffix) => isAtOrBelow(url.hostname, suffix))) return undefined;
  const entry = `=${url.hostname}:${portOf(url)}/tcp`;
  return constantRules([entry], { type: 'github_service', reason: name })[0];
}

function serviceUrlRules(inputs: AutoInputs): ParsedList<RuleDraft> {
  const items: RuleDraft[] = [];
  const warnings: PolicyProblem[] = [];
  const server = parseUrl(inputs.serverUrl)?.hostname ?? '';
  for (const service of inputs.actionsUrls.filter(({ url }) => url !== '')) {
    const where: Place = { source: `environment ${service.name}`, line: 1, column: 1 };
    const rule = serviceUrlRule(service, server);
    if (rule !== undefined) items.push({ ...rule, where });
    else {
      const message = `${service.url} is left out of the auto-allowed hosts: it is no name of GitHub's, an earlier step could have set it. Allow its host yourself if you need it`;
      warnings.push(warningAt(where, service.url, message));
    }
  }
  return { items, errors: [], warnings };
}

function addressRules(): readonly RuleDraft[] {
  const [wire] = constantRules([WIRE_SERVER.entry], WIRE_SERVER);
  const icmp = [{ port: 0, protocol: 'icmp' }] as const;
  const wireRules =
    wire === undefined ? [] : [{ ...wire, ports: [...(wire.ports ?? []), ...icmp] }];
  const others = [METADATA, LEASE].flatMap((row) => constantRules([row.entry], row));
  return [...others, ...wireRules];
}

function runnerRules(): readonly RuleDraft[] {
  const label: Label = { type: 'github_service', reason: 'the runner itself' };
  return constantRules(RUNNER_HOSTS, label).map((draft) => ({
    ...onHttps(draft),
    runnerHost: true,
  }));
}

/** Every auto-allowed rule, runner hosts last; errors are those of the two inputs. */
export function autoAllowedRules(inputs: AutoInputs): ParsedList<RuleDraft> {
  const github = hostList(inputs.githubServiceHosts, 'github-service-hosts', GITHUB_SERVICE_HOSTS, {
    type: 'github_service',
    reason: 'GitHub service, for every step',
  });
  const azure = hostList(inputs.azureInfraHosts, 'azure-infra-hosts', STORAGE_ACCOUNTS, {
    type: 'azure_infrastructure',
    reason: 'artifacts, caches and logs',
  });
  const urls = serviceUrlRules(inputs);
  return {
    items: [...addressRules(), ...github.items, ...urls.items, ...azure.items, ...runnerRules()],
    errors: [...github.errors, ...azure.errors],
    warnings: [...github.warnings, ...azure.warnings, ...urls.warnings],
  };
}
