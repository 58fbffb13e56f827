// sudo-lockdown on a real sudo (spec 9): whatever grants the runner user has, what is left is what
// the workflow says, for processes that run already too; and it is given back.
import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowRun } from '../lab/harness.ts';
import { type Lab, line, until } from '../lab/lab.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const STEPS = (inputs: string) => `
- name: before
  run: sudo -n id -u; python3 /tmp/connect.py
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
${inputs}
- name: allowed
  run: sudo -n /usr/bin/id -u
- name: not allowed
  run: |
    for command in true "cat /etc/shadow" "sh -c id" "-s id" "-u nobody true" -l; do
      sudo -n $command 2>&1 && echo "RAN $command" || echo refused
    done
- name: sockets
  run: python3 /tmp/connect.py
`;
const LOCKED = '    sudo-lockdown: true\n    sudo-allow-commands: /usr/bin/id\n';
/** A socket that equals root, open to the runner's group, as docker's is. */
const ENGINE = `
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind('/run/docker.sock'); os.chown('/run/docker.sock', 0, 1001)
os.chmod('/run/docker.sock', 0o660); s.listen(8); print('ready', flush=True)
while True: s.accept()[0].close()
`;
const CONNECT = `
import socket
s = socket.socket(socket.AF_UNIX)
try: s.connect('/run/docker.sock'); print('connected')
except OSError as e: print(type(e).__name__)
`;

async function onReady(lab: Lab): Promise<void> {
  const engine = lab.spawn(['/usr/bin/python3', '-u', '-c', ENGINE], lab.cgroup);
  await line(engine, 'ready');
  lab.run('sh', '-c', `cat > /tmp/connect.py <<'X'\n${CONNECT}\nX\nchmod 644 /tmp/connect.py`);
}

describe('sudo-lockdown: true', () => {
  let run: WorkflowRun;
  let after = '';
  beforeAll(async () => {
    run = await runSteps('sudo', STEPS(LOCKED), {
      onReady,
      onExit: async (lab) => {
        await until(() => !lab.exists('/run/cargowall'), 'the teardown');
        const look = 'stat -c "%a %u %g" /run/docker.sock; grep -c "CI ALL" /etc/sudoers';
        after = lab.run('sh', '-c', look).stdout;
      },
    });
  }, 120_000);

  test('before the start the job has sudo and the socket', () => {
    expect(stepOf(run, 'before').log).toContain('0\n');
    expect(stepOf(run, 'before').log).toContain('connected');
  });

  test('main is green, with the lockdown proved from the job', () => {
    const { code, log } = stepOf(run, 'start');
    expect(code).toBe(0);
    expect(log).toContain('sudo /usr/bin/true: refused');
    expect(log).toContain('sudo may run /usr/bin/id: allowed');
  });

  test('the allowed command runs', () => {
    expect(stepOf(run, 'allowed').log).toContain('0');
  });

  test('nothing else does, whatever file, group, alias or include grants it', () => {
    const { log } = stepOf(run, 'not allowed');
    expect(log.match(/refused/g)).toHaveLength(5);
    expect(log.match(/RAN .*/g)).toEqual(['RAN -l']);
    expect(log).toContain('(root) NOPASSWD: /usr/bin/id');
    expect(log).not.toContain('ALL) NOPASSWD: ALL');
  });

  test('the socket is closed to the job', () => {
    expect(stepOf(run, 'sockets').log).toContain('PermissionError');
  });

  test('after the worker has exited everything is as it was', () => {
    expect(after.trim().split('\n')).toEqual(['660 0 1001', '1']);
  });
});

describe('a lockdown that can not be had', () => {
  test.each([
    ['a command that equals root', 'sudo-allow-commands: /usr/bin/env', 'does not equal root'],
    ['another name of an interpreter', 'sudo-allow-commands: /usr/bin/pager', 'runs any command'],
    ['a folder', 'sudo-allow-commands: /usr/bin', 'is no file'],
    ['a command that is not there', 'sudo-allow-commands: /usr/bin/nowhere', 'does not exist'],
    [
      'a command of the job',
      'sudo-allow-commands: /home/runner/work/action.yml',
      'does not belong to root',
    ],
  ])(
    '%s stops the start before anything has changed',
    async (_what, input, message) => {
      const steps = STEPS(`    sudo-lockdown: true\n    ${input}\n`);
      const run = await runSteps('nosudo', steps, { onReady });
      expect(stepOf(run, 'start').code).not.toBe(0);
      expect(stepOf(run, 'start').log).toContain(message);
      expect(run.auditLog).toBe('');
    },
    120_000,
  );
});
