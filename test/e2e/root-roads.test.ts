// Roads to root under sudo-lockdown: each way sudoers grants it, each socket that equals it, for a
// process that ran before too; commands that hand it over; programs besides sudo. Tried before, where
// each works, and after, where none may.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT_SOCKETS } from '../../src/action/prove-lockdown.ts';
import { Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { type Lab, line, until } from '../lab/lab.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const told = new Told();
afterAll(() => told.print());

const START = (inputs: string) => `
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    sudo-lockdown: true
${inputs}`;

function write(lab: Lab, path: string, text: string, mode: string): void {
  const script = `mkdir -p $(dirname ${path}) && cat > ${path} <<'END'\n${text}\nEND\nchmod ${mode} ${path}`;
  const { code, stderr } = lab.run('sh', '-c', script);
  if (code !== 0) throw new Error(stderr);
}

/** sudoers files that each grant root in one way only. */
const GRANTS: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ['the user', 'runner ALL=(ALL) NOPASSWD: ALL', {}],
  ['a group', '%runner ALL=(ALL:ALL) NOPASSWD: ALL', {}],
  ['a group by number', '%#1001 ALL=(ALL) NOPASSWD: ALL', {}],
  [
    'a User_Alias in an alias',
    'User_Alias A = runner\nUser_Alias B = A\nB ALL=(ALL) NOPASSWD: ALL',
    {},
  ],
  ['Defaults !authenticate', 'Defaults:runner !authenticate\nrunner ALL=(ALL) ALL', {}],
  ['#include', '#include /run/more', { '/run/more': '#1001 ALL=(ALL) NOPASSWD: ALL' }],
  [
    '@includedir',
    '@includedir /run/sudoers.d',
    { '/run/sudoers.d/90-cloud': 'ALL ALL=(ALL) NOPASSWD: ALL' },
  ],
];

describe('case 107, sudo', () => {
  test.each(GRANTS)(
    'by %s is taken, and given back',
    async (what, sudoers, files) => {
      const all = `root ALL=(ALL:ALL) ALL\n${sudoers}`;
      let after = '';
      const run = await runSteps(
        'roads',
        `
- name: before
  run: sudo -n /usr/bin/id -u
${START('')}
- name: after
  run: for user in root nobody; do sudo -n -u $user id 2>&1 || echo refused; done
`,
        {
          onReady: (lab) => {
            for (const [path, text] of Object.entries(files)) write(lab, path, text, '440');
            write(lab, '/etc/sudoers', all, '440');
          },
          onExit: async (lab) => {
            await until(() => !lab.exists('/run/cargowall'), 'the teardown');
            after = lab.run('cat', '/etc/sudoers').stdout.trim();
          },
        },
      );
      expect(stepOf(run, 'before').log).toContain('0\n');
      expect(stepOf(run, 'start').code).toBe(0);
      expect(stepOf(run, 'after').log.match(/^refused$/gmu)).toHaveLength(2);
      expect(stepOf(run, 'after').log).not.toContain('uid=');
      expect(after).toBe(all);
      told.closed(107, `sudo by ${what}`);
    },
    120_000,
  );
});

/** Every socket that equals root, open to the runner's group, as their services make them. */
const ENGINES = `
import os, select, socket
held = []
for path in ${JSON.stringify(ROOT_SOCKETS)}:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    s = socket.socket(socket.AF_UNIX); s.bind(path); os.chown(path, 0, 1001); os.chmod(path, 0o660); s.listen(8); held.append(s)
print('ready', flush=True)
while True:
    for s in select.select(held, [], [])[0]: s.accept()[0].close()
`;
const CONNECT = `
import os, socket, subprocess, sys, time
def sockets():
    got = []
    for path in ${JSON.stringify(ROOT_SOCKETS)}:
        s = socket.socket(socket.AF_UNIX)
        try: s.connect(path); got.append('connected')
        except OSError as e: got.append(type(e).__name__)
    return ' '.join(sorted(set(got))) + ' sudo ' + str(subprocess.run(['sudo', '-n', '/usr/bin/id', '-u'], capture_output=True).returncode)
if len(sys.argv) > 1:
    while not os.path.exists('/tmp/go'): time.sleep(0.05)
    open('/tmp/said.new', 'w').write(sockets()); os.rename('/tmp/said.new', '/tmp/said')
else: print(sockets())
`;

describe('cases 104 and 105, sockets and processes that run already', () => {
  let run: WorkflowRun;
  let modes = '';
  beforeAll(async () => {
    run = await runSteps(
      'rootsock',
      `
- name: before
  run: |
    python3 /tmp/connect.py
    setsid python3 /tmp/connect.py old < /dev/null > /dev/null 2>&1 &
${START('')}
- name: after
  run: python3 /tmp/connect.py
- name: old
  run: |
    touch /tmp/go
    for i in $(seq 200); do [ -e /tmp/said ] && break; sleep 0.05; done
    cat /tmp/said
`,
      {
        onReady: async (lab) => {
          lab.run(
            'sh',
            '-c',
            'for d in /var/lib /var/snap; do mkdir -p $d && mount -t tmpfs var $d; done',
          );
          const engines = lab.spawn(['/usr/bin/python3', '-u', '-c', ENGINES], lab.cgroup);
          await line(engines, 'ready');
          write(lab, '/tmp/connect.py', CONNECT, '644');
        },
        onExit: async (lab) => {
          await until(() => !lab.exists('/run/cargowall'), 'the teardown');
          modes = lab.run('stat', '-c', '%a %u %g', ...ROOT_SOCKETS).stdout;
        },
      },
    );
  }, 120_000);

  test('before the start each socket and sudo are open to the job', () => {
    expect(stepOf(run, 'before').log.trim()).toBe('connected sudo 0');
  });

  test('case 104, afterwards none is', () => {
    expect(stepOf(run, 'start').code).toBe(0);
    expect(stepOf(run, 'after').log.trim()).toBe('PermissionError sudo 1');
    told.closed(
      104,
      'sockets of docker, containerd, podman, buildkit, cri-o, snapd, libvirt, lxd, incus',
    );
  });

  test('case 105, nor for a process that ran before, with its groups', () => {
    expect(stepOf(run, 'old').log.trim()).toBe('PermissionError sudo 1');
    told.closed(105, 'a process that ran before');
  });

  test('each is given back as it was', () => {
    expect(new Set(modes.trim().split('\n'))).toEqual(new Set(['660 0 1001']));
  });
});

describe('cases 106 and 107, what is refused or said', () => {
  test('case 106, commands that equal root are errors with the reason, all at once', async () => {
    const commands = [
      '/usr/bin/docker',
      '/usr/bin/tar',
      '/usr/bin/find',
      '/usr/bin/env',
      '/usr/bin/git',
    ];
    const inputs = `    sudo-allow-commands: ${commands.join(', ')}\n`;
    const run = await runSteps('equalroot', START(inputs));
    const { code, log } = stepOf(run, 'start');
    expect(code).not.toBe(0);
    for (const command of commands) {
      const name = command.split('/').at(-1);
      expect(log).toContain(`${name} runs any command or writes any file`);
    }
    expect(run.auditLog).toBe('');
    told.closed(106, 'commands that equal root are refused');
  }, 120_000);

  test('case 106, a command whose hooks run as root is a warning with the reason', async () => {
    const run = await runSteps('hooks', START('    sudo-allow-commands: /usr/bin/apt-get\n'));
    const { code, log } = stepOf(run, 'start');
    expect(code).toBe(0);
    expect(log).toMatch(/::warning::.*apt-get runs scripts of what it installs as root/u);
    told.closed(106, 'commands with hooks are warned of');
  }, 120_000);

  test('case 107, a program besides sudo that gives root stops the start', async () => {
    const source =
      '#include <unistd.h>\nint main(int c, char **v) { return setuid(0) || execv(v[2], v + 2); }';
    const run = await runSteps('doas', START(''), {
      onReady: (lab) => {
        lab.run('mount', '-t', 'tmpfs', 'local', '/usr/local/bin');
        write(lab, '/usr/local/bin/doas.c', source, '644');
        const built = lab.run(
          ...[
            'sh',
            '-c',
            'cd /usr/local/bin && gcc -o doas doas.c && chown root doas && chmod 4755 doas',
          ],
        );
        if (built.code !== 0) throw new Error(built.stderr);
      },
    });
    const { code, log } = stepOf(run, 'start');
    expect(code).not.toBe(0);
    expect(log).toContain('/usr/local/bin/doas: ran, expected refused');
    told.closed(107, 'programs besides sudo');
    told.limit(107, 'setuid programs, cron and units of the machine itself', 'L11');
  }, 120_000);
});
