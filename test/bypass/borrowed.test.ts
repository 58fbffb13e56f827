// Sockets of the runner's in the hands of the job: handed over, or taken (pidfd_getfd). What is sent by
// them to somebody new is the job's; what they lead to already is limit L14.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { line } from '../lab/lab.ts';
import { Arena, ATTACKER } from './arena.ts';
import { isDocumented, Told } from './told.ts';

const arena = new Arena('lent');
const told = new Told();
const METADATA = '169.254.169.254';
const SERVE = `
import socket, subprocess
subprocess.run(['ip', 'addr', 'add', '${METADATA}/32', 'dev', 'lo'], check=True)
s = socket.socket(); s.bind(('${METADATA}', 80)); s.listen(8); print('ready', flush=True); held = []
while True: held.append(s.accept())
`;

beforeAll(async () => {
  await arena.open();
  await arena.guarded.lab.serve(SERVE);
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** Has the worker make a socket by a line of Python and keep it; its process and descriptor. */
async function lent(made: string): Promise<string> {
  const { worker } = arena.guarded;
  if (worker === undefined) throw new Error('the session is not started');
  const python = `import socket\n${made}\nkept = globals().setdefault('kept', []); kept.append(s)\nprint('lent', s.fileno(), flush=True)`;
  const said = line(worker, 'lent');
  worker.stdin?.write(`exec(${JSON.stringify(python)})\n`);
  return `${worker.pid}, ${(await said).replace('lent ', '').trim()}`;
}

/** The worker's socket, in the hands of who says this. */
const TAKEN = (at: string) => `
pid, fd = ${at}
libc = ctypes.CDLL(None, use_errno=True)
taken = libc.syscall(438, libc.syscall(434, pid, 0), fd, 0)
if taken < 0: raise OSError(ctypes.get_errno(), 'pidfd_getfd')
s = socket.socket(fileno=taken); s.settimeout(1)`;

const NEW = [
  ['a stream', 's = socket.socket()', `s.sendto(M, 0x20000000, (TO, 80))`, METADATA],
  [
    'a stream, connected anew',
    `s = socket.socket(); s.connect(('${METADATA}', 80))`,
    `libc.connect(s.fileno(), bytes(16), 16); s.connect((TO, 80)); s.sendall(M)`,
    METADATA,
  ],
  ['a datagram socket', 's = socket.socket(2, 2)', `s.sendto(M, (TO, 9))`, ATTACKER],
  [
    'a datagram socket, connected',
    's = socket.socket(2, 2)',
    `s.connect((TO, 9)); s.send(M)`,
    ATTACKER,
  ],
] as const;

test.each(NEW)('case 62 (R), %s of the runner’s, to somebody new', async (what, made, send, to) => {
  const at = await lent(made);
  const before = (await arena.guarded.events()).length;
  const tried = arena.attempt('R', `${TAKEN(at)}\n${send}`, to);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['PermissionError 1', '']);
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  // the worker's own connect may be recorded late
  const records = (await arena.recordsSince(before)).filter(({ blocked }) => blocked);
  const [record] = records.filter(({ dst_ip: ip }) => ip === to);
  expect(record).toMatchObject({ blocked: true, process: 'python3', origin: 'system' });
  told.closed(62, `${what} of the runner's, to somebody new`);
});

test('case 62 (R), a stream of the runner’s, where it leads', async () => {
  const at = await lent(`s = socket.socket(); s.connect(('${METADATA}', 80))`);
  const tried = arena.attempt('R', `${TAKEN(at)}\ns.sendall(M)`, METADATA);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(tried.marker, true)).toBe(true);
  expect(isDocumented('L14')).toBe(true);
  told.limit(62, "a stream of the runner's, where it leads", 'L14');
});

test('case 62 (U), a stream of a runner of another user', async () => {
  const at = await lent(`s = socket.socket(); s.connect(('${METADATA}', 80))`);
  const tried = arena.attempt('U', `${TAKEN(at)}\ns.sendall(M)`, METADATA);
  expect(tried.stdout.trim()).toBe('PermissionError 1');
  told.closed(62, 'a stream of a runner of another user');
});
