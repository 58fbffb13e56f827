// The runner's worker: carries out a plan from stdin as the real one does, prints each step's log
// as it comes, and writes result.json. Every step is a child of this process.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFiles, readPairs } from './file-commands.ts';
import type { Plan, PlannedStep, RunResult, StepResult } from './plan.ts';
import { Service } from './service.ts';

const home = '/home/runner';
const workspace = join(home, 'work');
const temp = join(home, 'temp');
const plan = JSON.parse(readFileSync(0, 'utf8')) as Plan;
const service = new Service();
const results: StepResult[] = [];
const states = new Map<string, Record<string, string>>();
let exported: Record<string, string> = {};
let hasFailed = false;

function baseEnvironment(): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    USER: 'runner',
    LANG: 'C.UTF-8',
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_WORKSPACE: workspace,
    RUNNER_TEMP: temp,
    ...plan.environment,
    ...exported,
  };
}

interface Command {
  readonly name: string;
  readonly id: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Prints a log as the runner shows it: workflow commands as what they mean. */
function show(text: string): void {
  const shown = text
    .replace(/^::(?:debug|add-mask|endgroup)::.*\n/gm, '')
    .replace(/^::group::/gm, '▸ ')
    .replace(/^::(error|warning|notice)(?: [^:]*)?::/gm, (_, level: string) => `${level}: `);
  process.stdout.write(shown);
}

/** Runs one command to its exit and its pipes to their end. */
function execute(command: Command, files: Record<string, string>): Promise<StepResult> {
  const [file = '', ...words] = command.words;
  const startedMs = performance.now();
  const child = spawn(file, words, {
    cwd: workspace,
    env: { ...baseEnvironment(), ...command.environment, ...files },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const take = (bytes: Buffer) => {
    log += bytes.toString();
    show(bytes.toString());
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  let exitedMs = startedMs;
  child.on('exit', () => {
    exitedMs = performance.now();
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({
        name: command.name,
        code: code ?? 128,
        log,
        outputs: readPairs(files['GITHUB_OUTPUT']),
        summary: readFileSync(files['GITHUB_STEP_SUMMARY'] ?? '', 'utf8'),
        ranMs: Math.round(exitedMs - startedMs),
        pipesMs: Math.round(performance.now() - exitedMs),
      });
    });
  });
}

async function run(command: Command, mayFail: boolean): Promise<void> {
  process.stdout.write(`\n=== ${command.name}\n`);
  const files = makeFiles(join(temp, `commands-${results.length}`));
  const result = await execute(command, files);
  exported = { ...exported, ...readPairs(files['GITHUB_ENV']) };
  states.set(command.id, { ...states.get(command.id), ...readPairs(files['GITHUB_STATE']) });
  results.push(result);
  if (result.code !== 0 && !mayFail) hasFailed = true;
  await service.upload(`step-${results.length}.log`, result.log);
}

function commandOf(step: PlannedStep): Command {
  const { name, id } = step;
  if (step.kind === 'action') {
    const words = [process.execPath, join(workspace, step.main)];
    return { name, id, words, environment: { ...step.environment, ...step.inputs } };
  }
  const script = join(temp, `${id}.sh`);
  writeFileSync(script, step.script);
  const words = ['/usr/bin/bash', '--noprofile', '--norc', '-eo', 'pipefail', script];
  return { name, id, words, environment: step.environment };
}

await service.start();
const posts: Command[] = [];
for (const step of plan.steps) {
  if (hasFailed && !step.always) continue;
  const command = commandOf(step);
  if (step.kind === 'action' && step.post !== '') {
    const words = [process.execPath, join(workspace, step.post)];
    posts.unshift({ ...command, name: `Post ${step.name}`, words });
  }
  await run(command, step.mayFail);
}
for (const post of posts) {
  const saved = Object.entries(states.get(post.id) ?? {});
  const state = Object.fromEntries(saved.map(([name, value]) => [`STATE_${name}`, value]));
  await run({ ...post, environment: { ...post.environment, ...state } }, false);
}
await service.upload('job.log', results.map(({ log }) => log).join(''));
await service.stop();
const result: RunResult = { steps: results, service: service.counts };
writeFileSync(join(temp, 'result.json'), JSON.stringify(result));
process.exit(hasFailed ? 1 : 0);
