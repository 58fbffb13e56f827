// sudo-lockdown against a real engine (threats.md 104, 105): its socket, of group docker, starts
// containers for the job before, and for nobody of the job afterwards: not for a new process, not for
// one that ran before, not over a connection that was open before, however it is held.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { Docker } from '../lab/docker.ts';
import type { WorkflowRun } from '../lab/harness.ts';
import { type Lab, line, until } from '../lab/lab.ts';
import { RUNNER } from '../lab/machine.ts';
import { runSteps, stepOf } from '../lab/run-written.ts';

const told = new Told();
afterAll(() => told.print());

/** Ways of having a connection open. */
const KINDS = ['used', 'silent', 'stream', 'namespace', 'message'] as const;

/** Makes a container over one connection: the status it is answered with, or how the connection ends. */
const CLIENT = `
import json, os, socket, sys, time
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/docker.sock'); return s
def ask(s, method, path, body=''):
    try:
        s.sendall(f'{method} {path} HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}'.encode())
        text = b''
        while b'\\r\\n\\r\\n' not in text:
            more = s.recv(65536)
            if not more: return 'ended'
            text += more
        size = [int(l.split(b':')[1]) for l in text.split(b'\\r\\n') if l.lower().startswith(b'content-length:')]
        while size and len(text.split(b'\\r\\n\\r\\n', 1)[1]) < size[0]: text += s.recv(65536)
        return text.split()[1].decode()
    except OSError as e: return 'ended' if isinstance(e, (BrokenPipeError, ConnectionResetError)) else type(e).__name__
def create(s): return ask(s, 'POST', '/containers/create', json.dumps({'Image': 'box', 'Cmd': ['sleep', '1']}))
`;

/** A process that holds a connection in one of the ways, and uses it when it is told to. */
const HOLD = `${CLIENT}
kind = sys.argv[1]
if kind == 'namespace':
    import ctypes
    if ctypes.CDLL(None).unshare(0x50000000): raise SystemExit('unshare')
s = connect() if kind != 'later' else None
if kind == 'used': assert create(s) == '201'
if kind == 'stream':
    assert ask(s, 'GET', '/events') == '200'
if kind == 'message':
    a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [s.fileno()]); s.close(); s = None
open(f'/tmp/holds-{kind}', 'w').close()
while not os.path.exists('/tmp/go'): time.sleep(0.05)
if kind == 'message': s = socket.socket(fileno=socket.recv_fds(b, 1, 1)[1][0]); s.settimeout(8)
if kind == 'stream':
    text = b''
    while b'"after":' not in text:
        more = s.recv(65536)
        if not more: break
        text += more
    said = 'open' if more else 'ended'
elif kind == 'later':
    try: said = create(connect())
    except OSError as e: said = type(e).__name__
else: said = create(s)
open(f'/tmp/new-{kind}', 'w').write(said); os.rename(f'/tmp/new-{kind}', f'/tmp/said-{kind}')
`;

const ALL = [...KINDS, 'later'].join(' ');
const STEPS = (inputs: string) => `
- name: before
  run: |
    docker run --rm box echo started
    for kind in ${ALL}; do setsid python3 /tmp/hold.py $kind < /dev/null > /tmp/log-$kind 2>&1 & done
    for kind in ${ALL}; do
      for i in $(seq 200); do [ -e /tmp/holds-$kind ] && break; sleep 0.05; done
      [ -e /tmp/holds-$kind ] || { cat /tmp/log-$kind; exit 1; }
    done
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
${inputs}
- name: new
  run: docker run --rm box echo started 2>&1 || echo refused
- name: held
  run: |
    touch /tmp/go
    docker run --rm --label after box true || true
    for kind in ${ALL}; do
      for i in $(seq 400); do [ -e /tmp/said-$kind ] && break; sleep 0.05; done
      echo $kind: $(cat /tmp/said-$kind /tmp/log-$kind)
    done
`;

/** A connection of root's, as another service has one; it is used when it is told to. */
const ROOTS = `${CLIENT}
s = connect(); print('ready', flush=True); sys.stdin.readline(); print('roots', create(s), flush=True)
`;

interface Found {
  readonly run: WorkflowRun;
  readonly roots: string;
  readonly mode: string;
  readonly after: string;
}

/** A workflow on a machine whose runner is in group docker, with a real engine. */
async function runWithEngine(id: string, inputs: string): Promise<Found> {
  let engine: Docker | undefined;
  let tell = (): Promise<string> => Promise.resolve('');
  const found = { roots: '', mode: '', after: '' };
  try {
    const run = await runSteps(id, STEPS(inputs), {
      onReady: async (lab) => {
        const group = lab.run('cat', '/etc/group').stdout.replace(/^docker:.*\n/mu, '');
        write(lab, '/etc/group', `${group}docker:x:1002:${RUNNER.name}`);
        write(lab, '/tmp/hold.py', HOLD);
        engine = new Docker(lab, { socket: '/run/docker.sock', group: 'docker' });
        await engine.open();
        const roots = lab.spawn(['/usr/bin/python3', '-u', '-c', ROOTS], lab.cgroup);
        await line(roots, 'ready');
        tell = () => {
          roots.stdin?.write('\n');
          return line(roots, 'roots');
        };
      },
      onExit: async (lab) => {
        found.roots = await tell();
        await until(() => !lab.exists('/run/cargowall'), 'the teardown');
        found.mode = lab.run('stat', '-c', '%a %U %G', '/run/docker.sock').stdout.trim();
        const { uid } = RUNNER;
        const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--init-groups'];
        found.after = lab.run(...user, 'docker', 'run', '--rm', 'box', 'echo', 'started').stdout;
        engine?.close();
      },
    });
    return { run, ...found };
  } finally {
    engine?.close();
  }
}

function write(lab: Lab, path: string, text: string): void {
  const { code, stderr } = lab.run(
    'sh',
    '-c',
    `cat > ${path} <<'END'\n${text}\nEND\nchmod 644 ${path}`,
  );
  if (code !== 0) throw new Error(stderr);
}

const said = ({ run }: Found, kind: string) =>
  new RegExp(`^${kind}: (.*)$`, 'mu').exec(stepOf(run, 'held').log)?.[1];

describe('an engine, without lockdown', () => {
  let found: Found;
  beforeAll(async () => {
    found = await runWithEngine('freedock', '');
  });

  test('starts containers for the job, over each of the connections', () => {
    expect(stepOf(found.run, 'start').code).toBe(0);
    expect(stepOf(found.run, 'new').log.trim()).toBe('started');
    expect(ALL.split(' ').map((kind) => said(found, kind))).toEqual(
      ALL.split(' ').map((kind) => (kind === 'stream' ? 'open' : '201')),
    );
  });
});

describe('an engine, under lockdown', () => {
  let found: Found;
  beforeAll(async () => {
    found = await runWithEngine('lockdock', '    sudo-lockdown: true\n');
  });

  test('before the start a process of the job starts a container', () => {
    expect(stepOf(found.run, 'before').log.trim()).toBe('started');
  });

  test('case 104, a new process starts none', () => {
    expect(stepOf(found.run, 'start').code).toBe(0);
    expect(stepOf(found.run, 'new').log).toMatch(/permission denied[\s\S]*refused/u);
    told.closed(104, 'a real engine, a new process');
  });

  test('case 105, nor does one that ran before, with the group', () => {
    expect(said(found, 'later')).toBe('PermissionError');
    told.closed(105, 'a real engine, a process that ran before');
  });

  test.each(KINDS)('case 105, nor is one started over a connection open before: %s', (kind) => {
    expect(said(found, kind)).toBe('ended');
    told.closed(105, `a real engine, a connection open before: ${kind}`);
  });

  test("root's connections go on", () => {
    expect(found.roots).toBe('roots 201');
  });

  test('afterwards the socket is as it was, and starts containers again', () => {
    expect(found.mode).toBe('660 root docker');
    expect(found.after.trim()).toBe('started');
  });
});

/** A service whose socket is there before it is: what connects waits until something accepts. */
const ON_DEMAND = `
import os, socket, time
os.makedirs('/run/podman', exist_ok=True)
s = socket.socket(socket.AF_UNIX); s.bind('/run/podman/podman.sock'); s.listen(8); s.setblocking(False)
os.chmod('/run/podman/podman.sock', 0o666); print('ready', flush=True)
def wait(path):
    while not os.path.exists(path): time.sleep(0.02)
wait('/tmp/accept')
try: s.accept(); said = 'had a client'
except BlockingIOError: said = 'had none'
open('/tmp/service.new', 'w').write(said); os.rename('/tmp/service.new', '/tmp/service')
os.chmod('/run/podman/podman.sock', 0o666); s.setblocking(True)
held = s.accept()
wait('/tmp/never')
`;
const ON_DEMAND_CLIENT = `
import os, socket, time
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(8); s.connect('/run/podman/podman.sock'); return s
s = connect(); s.sendall(b'start a container'); open('/tmp/connected', 'w').close()
def said(s):
    try: return 'ended' if not s.recv(1) else 'answered'
    except ConnectionResetError: return 'ended'
    except OSError as e: return type(e).__name__
print('waiting:', said(s), flush=True)
while not os.path.exists('/tmp/accept'): time.sleep(0.02)
end = time.monotonic() + 8; late = None
while late is None and time.monotonic() < end:
    try: late = connect()
    except PermissionError: time.sleep(0.001)
print('reopened:', said(late) if late else 'never', flush=True)
`;

describe('a service that starts on demand', () => {
  let run: WorkflowRun;
  let service = '';
  beforeAll(async () => {
    const steps = `
- name: before
  run: |
    setsid python3 /tmp/client.py < /dev/null > /tmp/client 2>&1 &
    for i in $(seq 200); do [ -e /tmp/connected ] && break; sleep 0.05; done
- name: start
  uses: ./
  with:
    allowed-hosts: registry.example.com:443
    sudo-lockdown: true
- name: after
  run: |
    touch /tmp/accept
    for i in $(seq 400); do grep -q reopened /tmp/client && break; sleep 0.05; done
    cat /tmp/client
`;
    run = await runSteps('ondemand', steps, {
      onReady: async (lab) => {
        write(lab, '/tmp/client.py', ON_DEMAND_CLIENT);
        await line(lab.spawn(['/usr/bin/python3', '-u', '-c', ON_DEMAND], lab.cgroup), 'ready');
      },
      onExit: (lab) => {
        service = lab.run('cat', '/tmp/service').stdout;
      },
    });
  });

  test('case 105, finds nobody waiting who connected before the lockdown', () => {
    expect(stepOf(run, 'after').log).toContain('waiting: ended');
    expect(service).toBe('had none');
    told.closed(105, 'a connection nobody had accepted');
  });

  test('case 104, a socket opened again is closed, and what connected meanwhile is ended and told', () => {
    expect(stepOf(run, 'after').log).toContain('reopened: ended');
    expect(run.auditLog).toContain(
      '/run/podman/podman.sock was open to others than root; it is closed again',
    );
    told.closed(104, 'a socket opened again');
  });
});
