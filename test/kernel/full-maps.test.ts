// Maps of the kernel that are full: what finds no room is refused and counted, nothing opens, and what
// was there goes on.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { SIZE } from '../../src/core/flow/layout.gen.ts';
import { Told } from '../bypass/told.ts';
import { BPF, MAPS } from '../lab/bpf.ts';
import { Guarded } from '../lab/guarded.ts';
import { line } from '../lab/lab.ts';
import { jobConnect } from '../lab/started.ts';

const OPEN = 'registry.example.com';
const LATE = 'mirror.example.com';
const LATE_ADDRESS = '198.51.100.11';
const REFUSED = '198.51.100.20';
const told = new Told();
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('full');
  await guarded.open();
});
afterEach(() => guarded.close());
afterAll(() => told.print());

function python(script: string): string {
  const { stdout, stderr, code } = guarded.run('/usr/bin/python3', '-c', `${BPF}${script}`);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/**
 * Fills a map as root, with keys that mean nobody; `where`: the words that find it. Who fills it stays, so that
 * its own entry makes no room.
 */
async function fill(where: string, key: string, valueSize: number): Promise<void> {
  const script = `${BPF}${MAPS}
def of_loader(name):
    for pid in open('${guarded.lab.cgroup}/cargowall.loader/cgroup.procs').read().split():
        for file in os.scandir(f'/proc/{pid}/fdinfo'):
            for text in open(file.path):
                if not text.startswith('map_id:'): continue
                fd = bpf(14, struct.pack('<I', int(text.split()[1])))
                if info(fd)[24:40].rstrip(b'\\0') == name: return fd
fd, n = ${where}, 0
try:
    while n < 200000: update(fd, ${key}, bytes(${valueSize})); n += 1
    raise SystemExit('it is never full')
except OSError as e:
    if e.errno != 7: raise
print('full', flush=True); sys.stdin.read()`;
  await line(guarded.lab.spawn(['/usr/bin/python3', '-c', script]), 'full');
}

/** A session with a map that is full before it is closed to writes, but for our programs'. */
async function guardFull(map: string, valueSize: number): Promise<void> {
  await guarded.guard(WISHES, {}, () => fill(`of_loader(b'${map}')`, KEY, valueSize));
}

const WISHES = { allow: 'example.com:443' };
/** Of processes that can't be. */
const KEY = `struct.pack('<I', 5000000 + n)`;

/**
 * A child of who says this tries an address nobody has allowed, while others of them take the room that
 * processes of the machine leave which end meanwhile.
 */
const CHILD = `
import os, socket
r, w = os.pipe()
for _ in range(300):
    if not os.fork(): os.close(w); os.read(r, 1); os._exit(0)
child = os.fork()
if not child:
    try: socket.create_connection(('${REFUSED}', 443), 2); os.write(1, b'connected\\n')
    except OSError as e: os.write(1, type(e).__name__.encode() + b'\\n')
    os._exit(0)
os.waitpid(child, 0); os.close(w)
for _ in range(300): os.wait()`;

/** What could not be kept, by the control socket. */
function lost(): Readonly<Record<string, number>> {
  return JSON.parse(
    python(`
c = socket.socket(socket.AF_UNIX); c.connect('/run/cargowall/control.sock')
c.sendall(b'{"command":"status"}\\n'); print(c.makefile().readline())`),
  ).lost;
}

function answer(name: string): string {
  return /status: (\w+)/u.exec(guarded.run('dig', '+tries=1', '+time=5', name).stdout)?.[1] ?? '';
}

test('case 111 (R), the grants: a name that finds no room is SERVFAIL, and stays closed', async () => {
  await guarded.guard(WISHES);
  expect(answer(OPEN)).toBe('NOERROR');
  await fill(
    `get('/run/cargowall/bpf/map_grants')`,
    `struct.pack('<IIQQ', 99, n, 0, 0)`,
    SIZE.grant_value,
  );
  expect(answer(LATE)).toBe('SERVFAIL');
  expect(jobConnect(guarded.lab, LATE_ADDRESS)).toBe('PermissionError');
  expect(lost()['grants_refused']).toBeGreaterThan(0);
  const curl = guarded.run('curl', '-sS', '-k', '-m', '5', '-o', '/dev/null', `https://${OPEN}/`);
  expect(curl.stderr).toBe('');
  told.closed(111, 'the map of grants is full');
});

test('case 111 (R), the processes: a child of the job that finds no room is judged like everybody', async () => {
  await guardFull('processes', SIZE.process_value);
  const { worker } = guarded;
  if (worker === undefined) throw new Error('there is no worker');
  worker.stdin?.write(`exec(${JSON.stringify(CHILD)})\n`);
  expect(await line(worker, 'Error')).toContain('PermissionError');
  const [record] = await guarded.events((all) => all.some(({ dst_ip: ip }) => ip === REFUSED));
  expect(record).toMatchObject({ blocked: true, decided_by: 'default' });
  expect(lost()['processes']).toBeGreaterThan(0);
  told.closed(111, 'the map of processes is full');
});

test('case 111 (R), the identities: a record of whom there was no room for, which is counted', async () => {
  await guardFull('identities', SIZE.identity);
  expect(python(CHILD)).toBe('PermissionError');
  const [record] = await guarded.events((all) => all.some(({ dst_ip: ip }) => ip === REFUSED));
  expect(record).toMatchObject({ blocked: true, process: 'python3', pid: expect.any(Number) });
  expect(record).not.toHaveProperty('ancestry');
  expect(lost()['identities']).toBeGreaterThan(0);
  told.closed(111, 'the map of identities is full');
});
