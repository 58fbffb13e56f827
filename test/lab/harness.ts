// Runs a workflow file on the lab's machine with the real bundles: the runner's process tree, its
// service in the lab's internet, everything through the wall. Leaves nothing behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Internet, startInternet } from './internet.ts';
import { Lab, until } from './lab.ts';
import { makeMachine, RUNNER } from './machine.ts';
import type { RunResult } from './runner/plan.ts';
import { planWorkflow } from './workflow.ts';

/** What a run is made of. */
export interface RunWishes {
  readonly id: string;
  readonly workflow: string;
  readonly dist: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workspace?: ReadonlyMap<string, string>;
  readonly sudo?: boolean;
  /** Gets the runner's output as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Called when the worker has exited, before the lab is taken down; instead of a teardown. */
  readonly onExit?: (lab: Lab) => Promise<void> | void;
  /** Called with the lab once it stands, before the runner starts. */
  readonly onReady?: (lab: Lab, internet: Internet) => Promise<void> | void;
}

/** What a run left. */
export interface WorkflowRun extends RunResult {
  readonly code: number | null;
  /** Empty when there was none. */
  readonly auditLog: string;
  readonly meta: string;
  readonly uploads: ReadonlyMap<string, Buffer>;
  readonly heard: readonly string[];
  readonly tornDown: boolean;
}

/** A token as the artifact client expects it: only its scope is read. */
function token(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ scp: 'Actions.Results:run-1:job-1' })}.x`;
}

function environment(cgroup: string): Record<string, string> {
  return {
    RUNNER_ENVIRONMENT: 'self-hosted',
    RUNNER_OS: 'Linux',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'example/project',
    GITHUB_WORKFLOW: 'lockdown',
    GITHUB_JOB: 'build',
    GITHUB_RUN_ID: '1',
    GITHUB_RUN_ATTEMPT: '1',
    ACTIONS_RESULTS_URL: 'https://results-receiver.actions.githubusercontent.com/',
    ACTIONS_RUNTIME_TOKEN: token(),
    LAB_CGROUP: cgroup,
    NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ca-certificates.crt',
  };
}

function startRunner(lab: Lab, plan: string, onOutput: (text: string) => void) {
  const { uid, home } = RUNNER;
  const words = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--init-groups', '--reset-env'];
  const agent = ['env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt', `${home}/node`];
  const runner = lab.spawn([...words, ...agent, `${home}/harness/agent.ts`], lab.work);
  runner.stdout?.on('data', (bytes: Buffer) => onOutput(bytes.toString()));
  runner.stdin?.end(plan);
  return new Promise<number | null>((resolve) => runner.on('close', resolve));
}

async function tearDownSeen(lab: Lab): Promise<boolean> {
  try {
    await until(() => !lab.exists('/run/cargowall'), 'the loader tears down', 15_000);
    return true;
  } catch {
    return false;
  }
}

/** Has a runner of its own run a workflow on a lab's machine; its exit code. */
export function runJob(
  lab: Lab,
  wishes: Pick<RunWishes, 'workflow' | 'with' | 'environment' | 'onOutput'>,
): Promise<number | null> {
  const plan = planWorkflow(wishes.workflow, {
    cgroup: lab.cgroup,
    with: wishes.with ?? {},
    environment: { ...environment(lab.cgroup), ...wishes.environment },
  });
  return startRunner(lab, JSON.stringify(plan), wishes.onOutput ?? (() => undefined));
}

/** What the last job on a machine has left of its steps. */
export function resultIn(lab: Lab): RunResult {
  return JSON.parse(lab.run('cat', `${RUNNER.home}/temp/result.json`).stdout) as RunResult;
}

/** Runs a workflow to its end. */
export async function runWorkflow(wishes: RunWishes): Promise<WorkflowRun> {
  const lab = new Lab(wishes.id);
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-lab-'));
  try {
    await lab.open();
    const internet = await startInternet(lab, folder);
    const { dist, workspace = new Map(), sudo = true } = wishes;
    makeMachine(lab, { folder, ca: internet.ca, dist, workspace, sudo });
    await wishes.onReady?.(lab, internet);
    const code = await runJob(lab, wishes);
    const result = resultIn(lab);
    if (wishes.onExit !== undefined) await wishes.onExit(lab);
    const tornDown = wishes.onExit === undefined && (await tearDownSeen(lab));
    const left = (name: string) =>
      lab.run('sh', '-c', `cat ${RUNNER.home}/temp/cargowall-*/${name}`).stdout;
    return {
      ...result,
      code,
      auditLog: left('audit.jsonl'),
      meta: left('meta.json'),
      uploads: internet.uploads(),
      heard: internet.heard(),
      tornDown,
    };
  } finally {
    lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
