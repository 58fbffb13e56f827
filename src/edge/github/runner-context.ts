// The environment variables of the runner that we use, typed. Which of them a step could have set
// is said where they are used.

/** What the runner tells. */
export interface RunnerContext {
  /** RUNNER_ENVIRONMENT; the runner writes it over what steps set. */
  readonly hosted: boolean;
  readonly serverUrl: string;
  readonly actionsUrls: readonly { readonly name: string; readonly url: string }[];
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly runId: string;
  readonly runAttempt: string;
  /** RUNNER_TEMP: where the artifact's files are put together. */
  readonly temp: string;
}

const URLS = [
  'ACTIONS_RUNTIME_URL',
  'ACTIONS_RESULTS_URL',
  'ACTIONS_CACHE_URL',
  'ACTIONS_ID_TOKEN_REQUEST_URL',
];

/** Reads the context from an environment. */
export function readRunnerContext(
  environment: Readonly<Record<string, string | undefined>>,
): RunnerContext {
  const text = (name: string) => environment[name] ?? '';
  return {
    hosted: text('RUNNER_ENVIRONMENT') === 'github-hosted',
    serverUrl: text('GITHUB_SERVER_URL'),
    actionsUrls: URLS.map((name) => ({ name, url: text(name) })).filter(({ url }) => url !== ''),
    repository: text('GITHUB_REPOSITORY'),
    workflow: text('GITHUB_WORKFLOW'),
    job: text('GITHUB_JOB'),
    runId: text('GITHUB_RUN_ID'),
    runAttempt: text('GITHUB_RUN_ATTEMPT'),
    temp: text('RUNNER_TEMP'),
  };
}
