// A workflow file -> the plan the runner carries out: steps with inputs and expressions filled in.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Plan, PlannedStep } from './runner/plan.ts';

interface WorkflowStep {
  readonly name?: string;
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
  readonly env?: Record<string, unknown>;
  readonly 'continue-on-error'?: boolean;
  readonly if?: string;
}

interface ActionFile {
  readonly inputs?: Record<string, { readonly default?: string }>;
  readonly runs: { readonly main: string; readonly post?: string };
}

/** What the harness adds to a workflow. */
export interface PlanWishes {
  /** The lab's child cgroup, where the workflow leaves `cgroup` at auto. */
  readonly cgroup: string;
  /** More inputs of the action, in the place of the workflow's. */
  readonly with?: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
}

const EXPRESSIONS: Readonly<Record<string, string>> = {
  'github.job': 'build',
  'github.token': 'lab-token',
  'github.run_attempt': '1',
  'strategy.job-index': '0',
  'job.check_run_id': '4711',
};

function evaluate(text: string): string {
  return text.replace(/\$\{\{\s*([\w.-]+)\s*\}\}/g, (_, name: string) => EXPRESSIONS[name] ?? '');
}

function texts(values: Record<string, unknown> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values ?? {}).map(([name, value]) => [name, evaluate(String(value))]),
  );
}

function actionInputs(action: ActionFile, given: Record<string, string>): Record<string, string> {
  const defaults = Object.entries(action.inputs ?? {}).map(
    ([name, { default: value }]) => [name, evaluate(value ?? '')] as const,
  );
  const all = { ...Object.fromEntries(defaults), ...given };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
  );
}

function planStep(step: WorkflowStep, index: number, wishes: PlanWishes): PlannedStep {
  const base = {
    name: step.name ?? step.uses ?? step.run?.split('\n')[0] ?? `step ${index + 1}`,
    id: step.id ?? `step-${index + 1}`,
    environment: texts(step.env),
    mayFail: step['continue-on-error'] === true,
    always: step.if === 'always()',
  };
  if (step.run !== undefined) return { ...base, kind: 'run', script: step.run };
  const path = step.uses ?? '';
  if (!path.startsWith('./')) throw new Error(`uses: ${path}: only actions of the workspace`);
  const action = parse(readFileSync(join(path, 'action.yml'), 'utf8')) as ActionFile;
  const given = { ...texts(step.with), ...wishes.with };
  const inputs = actionInputs(action, given);
  if (inputs['INPUT_CGROUP'] === 'auto') inputs['INPUT_CGROUP'] = wishes.cgroup;
  return {
    ...base,
    kind: 'action',
    main: join(path, action.runs.main),
    post: action.runs.post === undefined ? '' : join(path, action.runs.post),
    inputs,
  };
}

/** Reads the one job of a workflow. */
export function planWorkflow(path: string, wishes: PlanWishes): Plan {
  const file = parse(readFileSync(path, 'utf8')) as {
    readonly name: string;
    readonly jobs: Record<string, { readonly steps: readonly WorkflowStep[] }>;
  };
  const [job] = Object.values(file.jobs);
  if (job === undefined) throw new Error(`${path}: no job`);
  return {
    workflow: file.name,
    environment: wishes.environment,
    steps: job.steps.map((step, index) => planStep(step, index, wishes)),
  };
}
