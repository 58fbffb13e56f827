// The main step: builds the edges, prepares and starts the session, maps what happens to outputs
// and the step's result. Fails closed: whatever is not a proved start is a failed step, unless the
// runner can't be guarded and the workflow says `on-unsupported: warn`.
import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { mayStart } from './action/may-start.ts';
import { prepareSession } from './action/prepare-session.ts';
import { type SavedSession, STATE_KEY, UNLOCK } from './action/session-files.ts';
import { startSession } from './action/start-session.ts';
import { describeRule } from './core/policy/describe-rule.ts';
import type { PolicyDocument } from './core/policy/document.ts';
import { firstLines } from './core/policy/problem.ts';
import type { SessionSettings } from './core/wire/session.ts';
import { type RawInputs, readInputs, wrongInput } from './edge/github/inputs.ts';
import { type RunnerContext, readRunnerContext } from './edge/github/runner-context.ts';
import { probeRootAccess, tryBecomeRoot, trySudo, trySudoMay } from './edge/github/sudo.ts';
import { log, maskSecret, outputs, state } from './edge/github/workflow-commands.ts';
import { type CgroupChoice, cgroupMount, chooseCgroup } from './edge/host/cgroup.ts';
import { faultOfCommand, tryConnectSocket } from './edge/host/lockdown-attempts.ts';
import { readPolicyFile } from './edge/host/policy-file.ts';
import { tryConnect, tryQuestion, trySend } from './edge/host/proof-attempts.ts';
import { readResolverConfig } from './edge/host/resolver-config.ts';
import { startLoader } from './edge/host/start-loader.ts';
import { findDamage } from './edge/kernel/digests.ts';
import { probeCapabilities } from './edge/kernel/support.ts';

// biome-ignore lint/style/noProcessEnv: a root reads the environment once
const environment = process.env;
const dist = resolve(dirname(process.argv[1] ?? ''), '..');
const loaderName = `bin/loader-linux-${process.arch}`;
const files = [loaderName, 'bpf/egress.bpf.o', 'daemon/index.js', 'daemon/package.json'];

const UNCHANGED = 'Nothing on this runner has changed';
const UNKNOWN =
  'What the start has changed may still be there: look for /run/cargowall and for cgroups named cargowall.*, or use a fresh runner';

function fail(errors: readonly string[], after = UNCHANGED): void {
  for (const error of firstLines(errors, 'errors')) log.error(error);
  const count = errors.length === 1 ? 'an error' : `${errors.length} errors`;
  log.fail(`cargowall did not start: ${count} above. ${after}`);
}

function unsupported(reasons: readonly string[], inputs: RawInputs): void {
  outputs.set('supported', 'false');
  if (inputs.onUnsupported === 'fail') {
    fail(reasons);
    return;
  }
  for (const reason of reasons) log.warning(reason);
  log.warning('THIS JOB IS NOT GUARDED: on-unsupported is "warn" and this runner is not supported');
}

async function readDocument(path: string, errors: string[]): Promise<PolicyDocument | undefined> {
  if (path === '') return undefined;
  try {
    return await readPolicyFile(path);
  } catch (error) {
    errors.push(`input config-file: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** The session and where it is attached; undefined where an error stands in their way. */
async function prepare(inputs: RawInputs, context: RunnerContext, mount: string | undefined) {
  const text = (name: string) => inputs.texts.get(name) ?? '';
  const inputErrors: string[] = [];
  const machineErrors: string[] = [];
  const document = await readDocument(text('config-file'), inputErrors);
  const { repository, workflow, job, runId, runAttempt } = context;
  const prepared = prepareSession({
    ...inputs,
    document,
    resolvers: readResolverConfig(text('dns-upstream')),
    actionsUrls: context.actionsUrls,
    serverUrl: context.serverUrl,
    nonce: randomBytes(16).toString('hex'),
    job: { repository, workflow, job, runId, runAttempt },
  });
  if (prepared.kind === 'refused') {
    inputErrors.push(...prepared.inputErrors);
    machineErrors.push(...prepared.machineErrors);
  }
  const lockdown = prepared.kind === 'session' ? prepared.lockdown : undefined;
  for (const path of lockdown ?? []) {
    const fault = faultOfCommand(path);
    if (fault !== undefined) inputErrors.push(`input sudo-allow-commands: ${fault}`);
  }
  const chosen = chooseCgroup(text('cgroup'), context.hosted, mount ?? '');
  if ('error' in chosen) machineErrors.push(chosen.error);
  const days = text('artifact-retention-days');
  if (!/^(?:[1-9]\d{0,2})?$/.test(days)) {
    const expected = 'a number of days from 1 to 999, or nothing for the setting of the repository';
    inputErrors.push(wrongInput('artifact-retention-days', days, expected));
  }
  for (const warning of firstLines(prepared.warnings, 'warnings')) log.warning(warning);
  return {
    session: prepared.kind === 'session' ? prepared.session : undefined,
    lockdown,
    cgroup: 'choice' in chosen ? chosen.choice : undefined,
    inputErrors,
    machineErrors,
  };
}

function damageOf(folder: string): readonly string[] {
  return findDamage(folder, files).map(
    (one) =>
      `a file of this action is damaged: ${one}. Pin the action to a release and run the job again`,
  );
}

function describe({ mode, policy, upstreams }: SessionSettings): readonly string[] {
  const user = policy.rules.filter(({ autoAllowedType }) => autoAllowedType === undefined);
  return [
    `mode: ${mode}, default: ${policy.default}`,
    ...user.map(describeRule),
    `auto-allowed: ${policy.rules.length - user.length} rules`,
    `upstream resolvers: ${upstreams.map(({ address, port }) => `${address} port ${port}`).join(', ')}`,
  ];
}

const LOCKDOWN_ATTEMPTS = {
  sudo: trySudo,
  sudoMay: trySudoMay,
  becomeRoot: tryBecomeRoot,
  connectSocket: tryConnectSocket,
};

async function start(
  inputs: RawInputs,
  context: RunnerContext,
  session: SessionSettings,
  cgroup: CgroupChoice,
  lockdown: readonly string[] | undefined,
): Promise<void> {
  const loader = startLoader({
    loader: `${dist}/${loaderName}`,
    object: `${dist}/bpf/egress.bpf.o`,
    daemon: `${dist}/daemon`,
    node: process.execPath,
    cgroup: cgroup.path,
    root: cgroup.root,
    uid: process.getuid?.() ?? 0,
    worker: process.ppid,
    keep: context.hosted,
    lockdown,
  });
  // A cancelled step: the end of the loader's stdin undoes the start.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => loader.end());
  const attempts = { connect: tryConnect, send: trySend, ask: tryQuestion };
  const toProve = lockdown && { commands: lockdown, attempts: LOCKDOWN_ATTEMPTS };
  const started = await startSession(session, loader, attempts, log, toProve);
  if (started.kind === 'failed') {
    const after = started.remains === 'none' ? UNCHANGED : UNKNOWN;
    if (started.unsupported) unsupported([started.message], inputs);
    else fail([started.message], after);
    return;
  }
  const enforcing = session.mode === 'enforce';
  outputs.set('supported', 'true');
  outputs.set('enforcing', String(enforcing));
  outputs.set('pid', String(started.pid));
  outputs.set('audit-log', started.auditLog);
  const saved: SavedSession = {
    mode: session.mode,
    pid: started.pid,
    enforcing,
    artifactName: inputs.texts.get('artifact-name') ?? '',
    retentionDays: inputs.texts.get('artifact-retention-days') ?? '',
    summary: inputs.summary,
    failOnBlock: inputs.failOnBlock,
    isLockedDown: lockdown !== undefined,
  };
  state.save(STATE_KEY, JSON.stringify(saved));
  log.info(
    enforcing
      ? 'cargowall is enforcing: from here on this job reaches only what the policy allows.'
      : 'cargowall is recording (mode audit): nothing is refused.',
  );
}

async function main(): Promise<void> {
  const { inputs, errors } = readInputs(environment);
  outputs.set('enforcing', 'false');
  maskSecret(inputs.texts.get('notify-url') ?? '');
  if (errors.length === 0) outputs.set('mode', inputs.mode);
  const context = readRunnerContext(environment);
  const mount = cgroupMount();
  const capabilities = probeCapabilities(mount, await probeRootAccess(UNLOCK));
  log.group(
    'This runner',
    capabilities.map(({ name, found }) => `${name}: ${found}`),
  );
  const prepared = await prepare(inputs, context, mount);
  const { session, cgroup, lockdown, machineErrors } = prepared;
  const inputErrors = [...errors, ...prepared.inputErrors];
  const missing = capabilities
    .filter(({ remedy }) => remedy !== '')
    .map(({ name, found, remedy }) => `${name}: ${found}; ${remedy}`);
  const may = mayStart({ inputErrors, missing, machineErrors, damage: damageOf(dist) });
  if (may.kind === 'unsupported') {
    unsupported(may.reasons, inputs);
  } else if (may.kind === 'no') {
    fail(may.errors);
  } else if (session === undefined || cgroup === undefined) {
    fail(['no session could be made, and no error says why; report it with this log']);
  } else {
    log.group('Policy', describe(session));
    await start(inputs, context, session, cgroup, lockdown);
  }
}

main().catch((error: unknown) => {
  log.fail(`cargowall did not start: ${error instanceof Error ? error.message : String(error)}`);
});
