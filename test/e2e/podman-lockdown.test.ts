// sudo-lockdown against podman's own service of root's (threats.md 104, 105), started by a connection to its
// socket as a service manager does, open to a group of the job's user: afterwards the job reaches it by no new
// connection and by none that was open, root's go on, and it is given back.
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { type Lab, line, until } from '../lab/lab.ts';
import { RUNNER } from '../lab/machine.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const SOCKET = '/run/podman/podman.sock';
const GROUP = 1003;
const KINDS = ['used', 'silent', 'stream'] as const;
const told = new Told();

/** The service manager's part: it holds the socket, and starts the service at the first connection. */
const MANAGER = `
import os, select, socket, sys
os.makedirs('/run/podman', 0o755, exist_ok=True)
s = socket.socket(socket.AF_UNIX); s.bind('${SOCKET}'); os.chown('${SOCKET}', 0, ${GROUP}); os.chmod('${SOCKET}', 0o660)
s.listen(64); print('ready', flush=True)
select.select([s], [], [])
if not os.fork():
    s.set_inheritable(True); os.dup2(s.fileno(), 3)
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='podman.socket')
    os.execvp(sys.argv[1], sys.argv[1:])
os.wait()`;

const CLIENT = `
import os, socket, sys, time
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect('${SOCKET}'); return s
def ask(s, path='/_ping'):
    try:
        s.sendall(f'GET {path} HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n'.encode())
        text = b''
        while b'\\r\\n\\r\\n' not in text:
            more = s.recv(65536)
            if not more: return 'ended'
            text += more
        return text.split()[1].decode() + (' podman' if b'Libpod-Api-Version' in text else '')
    except OSError as e: return 'ended' if isinstance(e, (BrokenPipeError, ConnectionResetError)) else type(e).__name__
`;
const NEW = `${CLIENT}
try: print(ask(connect()))
except OSError as e: print(type(e).__name__)`;
const HOLD = `${CLIENT}
kind = sys.argv[1]; s = connect()
if kind == 'used': assert ask(s).startswith('200')
if kind == 'stream': assert ask(s, '/v1.40/libpod/events?stream=true') .startswith('200')
open(f'/tmp/holds-{kind}', 'w').close()
while not os.path.exists('/tmp/go'): time.sleep(0.05)
if kind == 'stream':
    try: said = 'ended' if not s.recv(65536) else 'open'
    except ConnectionResetError: said = 'ended'
    except OSError as e: said = type(e).__name__
else: said = ask(s)
open(f'/tmp/new-{kind}', 'w').write(said); os.rename(f'/tmp/new-{kind}', f'/tmp/said-{kind}')`;
const ROOTS = `${CLIENT}
s = connect(); first = ask(s); print('ready', flush=True); sys.stdin.readline(); print('roots', first, ask(s), flush=True)`;

const each = (lines: string) => `for kind in ${KINDS.join(' ')}; do ${lines}; done`;
const STEPS = `
- name: before
  run: |
    python3 /tmp/new.py
    ${each('setsid python3 /tmp/hold.py $kind < /dev/null > /tmp/log-$kind 2>&1 &').replace('&; done', '& done')}
    ${each('for i in $(seq 200); do [ -e /tmp/holds-$kind ] && break; sleep 0.05; done; [ -e /tmp/holds-$kind ] || { cat /tmp/log-$kind; exit 1; }')}
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    sudo-lockdown: true
- name: new
  run: python3 /tmp/new.py
- name: held
  run: |
    touch /tmp/go
    ${each('for i in $(seq 400); do [ -e /tmp/said-$kind ] && break; sleep 0.05; done; echo $kind: $(cat /tmp/said-$kind /tmp/log-$kind)')}
`;

function write(lab: Lab, path: string, text: string): void {
  const script = `cat > ${path} <<'END'\n${text}\nEND\nchmod 644 ${path}`;
  const { code, stderr } = lab.run('sh', '-c', script);
  if (code !== 0) throw new Error(stderr);
}

const folder = mkdtempSync('/var/tmp/cargowall-podman-');
const found = { roots: '', mode: '', after: '' };
let run: WorkflowRun;
beforeAll(async () => {
  let roots = (): Promise<string> => Promise.resolve('');
  run = await runSteps('lockpod', STEPS, {
    onReady: async (lab) => {
      const groups = lab.run('cat', '/etc/group').stdout;
      write(lab, '/etc/group', `${groups}podman:x:${GROUP}:${RUNNER.name}`);
      write(lab, '/tmp/new.py', NEW);
      write(lab, '/tmp/hold.py', HOLD);
      const at = (name: string) => `${folder}/${name}`;
      const podman = [
        ...['podman', '--root', at('data'), '--runroot', at('run'), '--tmpdir', at('tmp')],
        ...[
          '--events-backend',
          'file',
          '--cgroup-manager',
          'cgroupfs',
          'system',
          'service',
          '--time=0',
        ],
      ];
      const manager = lab.spawn(['/usr/bin/python3', '-u', '-c', MANAGER, ...podman], lab.cgroup);
      await line(manager, 'ready');
      const client = lab.spawn(['/usr/bin/python3', '-u', '-c', ROOTS], lab.cgroup);
      await line(client, 'ready');
      roots = () => {
        client.stdin?.write('\n');
        return line(client, 'roots');
      };
    },
    onExit: async (lab) => {
      found.roots = await roots();
      await until(() => !lab.exists('/run/cargowall'), 'the teardown');
      found.mode = lab.run('stat', '-c', '%a %u %g', SOCKET).stdout.trim();
      const user = ['setpriv', `--reuid=${RUNNER.uid}`, `--regid=${RUNNER.uid}`, '--init-groups'];
      found.after = lab.run(...user, '/usr/bin/python3', '-c', NEW).stdout.trim();
    },
  });
}, 180_000);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  told.print();
});

test('before the start the job is answered, as one of the group', () => {
  expect(stepOf(run, 'before').log.trim()).toBe('200 podman');
  expect(stepOf(run, 'start').code).toBe(0);
});

test('case 104, a new connection is refused', () => {
  expect(stepOf(run, 'new').log.trim()).toBe('PermissionError');
  told.closed(104, "podman's service, a new connection");
});

test.each(KINDS)('case 105, one open before is ended: %s', (kind) => {
  const { log } = stepOf(run, 'held');
  expect(new RegExp(`^${kind}: (.*)$`, 'mu').exec(log)?.[1]).toBe('ended');
  told.closed(105, `podman's service, a connection open before: ${kind}`);
});

test("root's connection goes on", () => {
  expect(found.roots).toBe('roots 200 podman 200 podman');
});

test('afterwards the socket is as it was, and the service answers', () => {
  expect(found).toMatchObject({ mode: `660 0 ${GROUP}`, after: '200 podman' });
});
