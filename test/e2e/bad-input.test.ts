// Everything a person can get wrong: a clear error with place and remedy, the machine unchanged.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const told = new Told();
afterAll(() => told.print());

const UNCHANGED = 'Nothing on this runner has changed';

const CASES: readonly {
  readonly name: string;
  readonly with: Readonly<Record<string, string>>;
  readonly says: readonly string[];
}[] = [
  {
    name: 'unknown mode',
    with: { mode: 'block' },
    says: ['input mode line 1 column 1: found "block"', '"block" is "enforce" here'],
  },
  {
    name: 'unknown input',
    with: { 'allowed-host': 'a.example' },
    says: ['input allowed-host: unknown', 'Did you mean "allowed-hosts"?'],
  },
  {
    name: 'bad rules',
    with: { 'allowed-hosts': 'a..b, *.com', 'blocked-cidrs': '10.1.2.3/8' },
    says: [
      'input allowed-hosts line 1 column 3',
      'input allowed-hosts line 1 column 7',
      '10.0.0.0/8',
    ],
  },
  {
    name: 'all at once',
    with: { 'egress-policy': 'block', debug: 'yes', 'allowed-hosts': 'a..b', cgroup: '/tmp' },
    says: [
      'input egress-policy: unknown',
      'input debug line 1 column 1: found "yes"',
      'input allowed-hosts line 1 column 3',
      'input cgroup: /tmp is not in cgroup2',
    ],
  },
  {
    name: 'missing file',
    with: { 'config-file': 'nowhere.yml' },
    says: ['input config-file', 'nowhere.yml'],
  },
  {
    name: 'broken file',
    with: { 'config-file': 'broken.yml' },
    says: ['broken.yml line 3 column 5', 'Did you mean "host"?'],
  },
  {
    name: 'expected blocks',
    with: { 'expected-blocks': 'telemetry..com' },
    says: ['input expected-blocks line 1 column 11'],
  },
  {
    name: 'loopback upstream',
    with: { 'dns-upstream': '127.0.0.1' },
    says: ['input dns-upstream line 1 column 1', 'a resolver that is not this machine'],
  },
  {
    name: 'unspecified upstream',
    with: { 'dns-upstream': '0.0.0.0, ::' },
    says: [
      'line 1 column 1: found "0.0.0.0", expected a resolver that is not this machine',
      'line 1 column 10: found "::", expected a resolver that is not this machine',
    ],
  },
  {
    name: 'no days',
    with: { 'artifact-retention-days': '0' },
    says: ['input artifact-retention-days line 1 column 1: found "0"'],
  },
  {
    name: 'not in cgroup2',
    with: { cgroup: '/tmp' },
    says: ['input cgroup: /tmp is not in cgroup2'],
  },
  {
    name: 'no such cgroup',
    with: { cgroup: '/nowhere' },
    says: ['input cgroup: /nowhere'],
  },
  {
    name: 'root under never-root',
    with: { cgroup: 'root' },
    says: ['/etc/cargowall/never-root'],
  },
];

function step(name: string, inputs: Readonly<Record<string, string>>): string {
  const lines = Object.entries(inputs).map(
    ([key, value]) => `    ${key}: ${JSON.stringify(value)}`,
  );
  const given = lines.length === 0 ? '' : `  with:\n${lines.join('\n')}\n`;
  return `- name: ${name}\n  continue-on-error: true\n  uses: ./\n${given}`;
}

describe('bad input', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    const steps = CASES.map((one) => step(one.name, one.with));
    run = await runSteps(
      'bad',
      `${steps.join('')}
- name: unchanged
  run: test ! -e /run/cargowall; ! ls -d $LAB_CGROUP/cargowall* 2>/dev/null
${step('first instance', {})}
${step('second instance', {})}
- name: still closed
  run: curl -sS --max-time 5 http://198.51.100.20/ && exit 1 || exit 0
`,
      {
        workspace: new Map([['broken.yml', 'version: 1\nrules:\n  - hots: example.com\n']]),
      },
    );
  }, 120_000);

  test.each(CASES)('$name', ({ name, says }) => {
    const { code, log, outputs } = stepOf(run, name);
    for (const text of says) expect(log).toContain(text);
    expect(log).toContain('::error::');
    expect(log).toContain(UNCHANGED);
    expect(code).toBe(1);
    expect(outputs['enforcing']).toBe('false');
  });

  test('the machine is unchanged after all of them', () => {
    expect(stepOf(run, 'unchanged').code).toBe(0);
  });

  test('a second instance is refused, the first goes on', () => {
    expect(stepOf(run, 'first instance').code).toBe(0);
    const second = stepOf(run, 'second instance');
    expect(second.code).toBe(1);
    expect(second.log).toContain('another cargowall is running on this machine');
    expect(second.log).toContain(UNCHANGED);
    expect(stepOf(run, 'still closed').code).toBe(0);
  });
});

describe('a runner that can not be guarded', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    const inputs = { 'on-unsupported': 'warn' };
    run = await runSteps('unsup', `${step('no sudo', {})}${step('warned', inputs)}`, {
      sudo: false,
    });
  }, 120_000);

  test('no sudo: an error with the remedy', () => {
    const { code, log, outputs } = stepOf(run, 'no sudo');
    expect(code).toBe(1);
    expect(log).toContain('let the runner user run sudo without a password');
    expect(outputs).toMatchObject({ supported: 'false', enforcing: 'false' });
    told.closed(112, 'a runner without sudo');
  });

  test('with on-unsupported: warn the step passes and says that nothing is guarded', () => {
    const { code, log, outputs } = stepOf(run, 'warned');
    expect(code).toBe(0);
    expect(log).toContain('THIS JOB IS NOT GUARDED');
    expect(outputs).toMatchObject({ supported: 'false', enforcing: 'false' });
    told.closed('111, 112', 'an opt-out, which is loud');
  });
});

/** As in a `container:` job: own namespaces, the engine's resolver alone, the action's defaults. */
function inContainer(onUnsupported: string, namespaces: string): string {
  const inputs =
    `INPUT_MODE=enforce INPUT_ON-UNSUPPORTED=${onUnsupported} INPUT_ALLOW-EXISTING-CONNECTIONS=true ` +
    'INPUT_FAIL-ON-BLOCK=false INPUT_SUDO-LOCKDOWN=false INPUT_SUMMARY=true INPUT_DEBUG=false ' +
    'INPUT_CGROUP=auto RUNNER_ENVIRONMENT=self-hosted GITHUB_OUTPUT=$GITHUB_OUTPUT';
  const inside =
    'mount --bind container-resolv.conf /etc/resolv.conf && ' +
    `exec env ${inputs} /home/runner/node dist/main/index.js`;
  return `sudo unshare ${namespaces} --mount --fork sh -c "${inside}"`;
}

describe('a machine or an action that is not whole', () => {
  let run: WorkflowRun;
  beforeAll(async () => {
    run = await runSteps(
      'damage',
      `
- name: in a container
  continue-on-error: true
  run: ${inContainer('fail', '--pid --mount-proc --ipc --cgroup')}
- name: in a container, warned
  run: ${inContainer('warn', '--pid --mount-proc --ipc --cgroup')}
- name: in a container that shares the machine's processes
  continue-on-error: true
  run: ${inContainer('fail', '--ipc --cgroup')}
- name: damage
  run: cp dist/daemon/index.js kept; echo '// damage' >> dist/daemon/index.js
${step('damaged', {})}
- name: repair, and hide the kernel's types
  run: cp kept dist/daemon/index.js; sudo mount -t tmpfs none /sys/kernel/btf
${step('without types', {})}
- name: unchanged
  run: test ! -e /run/cargowall; ! ls -d $LAB_CGROUP/cargowall* 2>/dev/null
`,
      { workspace: new Map([['container-resolv.conf', 'nameserver 127.0.0.11\n']]) },
    );
  }, 120_000);

  test.each(['in a container', "in a container that shares the machine's processes"])(
    '%s: the job is told what to do instead',
    (name) => {
      const { code, log, outputs } = stepOf(run, name);
      expect(code).toBe(1);
      expect(log).toContain('remove "container:" and start containers in its steps');
      expect(log).not.toContain('dns-upstream');
      expect(log).toContain(UNCHANGED);
      expect(outputs).toMatchObject({ supported: 'false', enforcing: 'false' });
      told.closed(112, `a job ${name}`);
    },
  );

  test('in a container with on-unsupported: warn the step passes unguarded', () => {
    const { code, log, outputs } = stepOf(run, 'in a container, warned');
    expect(log).toContain('THIS JOB IS NOT GUARDED');
    expect(code).toBe(0);
    expect(outputs).toMatchObject({ supported: 'false', enforcing: 'false' });
  });

  test('a wrong digest is named, and nothing runs', () => {
    const { code, log } = stepOf(run, 'damaged');
    expect(code).toBe(1);
    expect(log).toContain('a file of this action is damaged: daemon/index.js: found');
    told.closed(125, 'a damaged daemon bundle');
  });

  test('a missing kernel feature is named with its remedy', () => {
    const { code, log, outputs } = stepOf(run, 'without types');
    expect(code).toBe(1);
    expect(log).toContain('use a kernel built with CONFIG_DEBUG_INFO_BTF');
    expect(outputs).toMatchObject({ supported: 'false', enforcing: 'false' });
    told.closed(112, 'a kernel without types');
  });

  test('the machine is unchanged', () => {
    expect(stepOf(run, 'unchanged').code).toBe(0);
  });
});
