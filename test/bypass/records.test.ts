// One record for what each process tries, also where the packets of two are the same.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('records');
const told = new Told();

beforeAll(async () => {
  await arena.open();
  await arena.guard();
}, 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** The process that makes an attempt says its id. */
const PID = `print(os.getpid(), end=' ')\n`;

test.each([
  ['a ping', `socket.socket(2, 2, 1).sendto(b'\\x08\\0\\0\\0\\0\\1\\0\\1' + M, (TO, 0))`],
  [
    'a connected datagram from the port of another',
    `s = datagram(); s.bind(('', 4444)); s.connect((TO, 9)); s.send(M)`,
  ],
  [
    'a refused datagram, then one of the same socket connected',
    `s = datagram()
try: s.sendto(M, (TO, 9))
except PermissionError: pass
s.connect((TO, 9)); s.send(M)`,
  ],
])('case 130 (U), %s, by two processes', async (what, script) => {
  const to = `203.0.112.${what.length}`;
  const tries = [1, 2].map(() => arena.attempt('U', PID + script, to));
  for (const { stdout } of tries) expect(stdout).toContain('PermissionError');
  const pids = tries.map(({ stdout }) => Number.parseInt(stdout, 10));
  const isIt = (event: { dst_ip?: string; layer?: string }) =>
    event.dst_ip === to && event.layer === 'egress';
  const events = await arena.guarded.events((all) => all.filter(isIt).length >= 2);
  expect(events.filter(isIt).map(({ pid }) => pid)).toEqual(pids);
  for (const { marker } of tries) expect(await arena.hasArrived(marker, false)).toBe(false);
  told.closed(130, `${what}, by two processes`);
});
