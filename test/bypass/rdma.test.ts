// RDMA devices (U): what is written into their queues the adapter sends by itself, past the kernel. A device's
// file without an adapter behind it says so (ENXIO) to whoever may open it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('rdma');
const told = new Told();
/** uverbs0 and umad0 (Documentation/admin-guide/devices.txt), and one of another number. */
const FILES = ['231 192', '231 0', '230 192'] as const;
const [VERBS, MAD, OTHER] = ['/run/rdma-0', '/run/rdma-1', '/run/rdma-2'] as const;

const OPEN = (path: string, flags = 'os.O_RDWR') =>
  `print(os.getpid()); os.open('${path}', ${flags})`;
const USER = (script: string) => arena.words('U', script, '192.0.2.1', 'mark-rdma!');

beforeAll(async () => {
  await arena.open();
  const made = FILES.map((number, at) => `mknod /run/rdma-${at} c ${number}`).join(' && ');
  expect(arena.root('sh', '-c', `${made} && chmod 666 /run/rdma-*`)).toBe('');
  expect(arena.guarded.run(...USER(OPEN(VERBS))).stdout).toContain('OSError 6');
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

test.each([
  ['a queue', VERBS, 'os.O_RDWR'],
  ['a queue, to read', VERBS, 'os.O_RDONLY'],
  ['management', MAD, 'os.O_WRONLY'],
])('case 27 (U), an RDMA device: %s', async (what, path, flags) => {
  const { stdout } = await arena.ofJob(...USER(OPEN(path, flags)));
  expect(stdout).toContain('PermissionError 1');
  const pid = Number.parseInt(stdout, 10);
  const isIt = (event: { pid?: number }) => event.pid === pid;
  const [record] = (await arena.guarded.events((all) => all.some(isIt))).filter(isIt);
  expect(record).toMatchObject({
    ...{ event_type: 'protocol_blocked', blocked: true, reason: 'AF_IB', origin: 'job' },
    ...{ decided_by: 'socket', layer: 'socket' },
  });
  told.closed(27, `an RDMA device: ${what}`);
});

test('devices of other numbers, and of services of the machine, are what they were', async () => {
  expect((await arena.ofJob(...USER(OPEN(OTHER)))).stdout).toContain('OSError 6');
  expect((await arena.ofJob(...USER(OPEN('/dev/null')))).stdout).toContain('sent');
  expect(arena.guarded.run(...USER(OPEN(VERBS))).stdout).toContain('OSError 6');
});
