// What survives the death, the stop and the loss of each process after green.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { MODE, VERDICT } from '../../src/core/flow/layout.gen.ts';
import { Told } from '../bypass/told.ts';
import { policy } from '../lab/entries.ts';
import { Lab, OTHER4, until } from '../lab/lab.ts';
import {
  expectUndone,
  findLoader,
  loaderOf,
  logOf,
  pidsOf,
  startToEnd,
  statusOf,
} from '../lab/loader-processes.ts';
import { events, hang, jobConnect, loaderArguments, settings, start } from '../lab/started.ts';

const lab = new Lab('death');
const closed = { mode: MODE.ENFORCE, writes: [policy(VERDICT.DENY)] };

beforeEach(() => lab.open());
afterEach(() => lab.close());
const cases = new Told();
afterAll(() => cases.print());

/** What the job gets for a refused and for an untouched connect. */
function connect(): string {
  return jobConnect(lab, OTHER4);
}

test('after green a killed daemon comes back, and no record is lost', async () => {
  const { green } = await start(lab, closed);
  expect(connect()).toBe('PermissionError');
  process.kill(green.pid, 'SIGKILL');
  expect(connect()).toBe('PermissionError');
  await until(() => logOf(lab).includes('restarted'), 'the daemon is back');
  await until(
    () => events(lab).filter((one) => one.destination === OTHER4).length >= 2,
    'both records',
  );
  cases.closed('108, 109', 'the daemon is killed');
});

test('after green a killed loader comes back on its pinned programs, and no record is lost', async () => {
  const { green } = await start(lab, closed);
  for (const pid of [loaderOf(lab).proper, green.pid]) process.kill(pid, 'SIGKILL');
  expect(connect()).toBe('PermissionError');
  await until(() => logOf(lab).includes('restarted'), 'loader and daemon are back');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  cases.closed('108, 109', 'loader and daemon are killed');
});

/** How often a loader has told that it took its keeper's place. */
const told = () => logOf(lab).split('the keeper had been ended').length - 1;

/** Ends the keeper and waits until a new loader tells that the old one has taken its place. */
async function replaceKeeper(): Promise<void> {
  const [before, count] = [loaderOf(lab), told()];
  process.kill(before.keeper, 'SIGKILL');
  await until(() => told() === count + 1, 'the notice');
  expect(loaderOf(lab).keeper).toBe(before.proper);
}

test('after green the loader takes the place of a killed keeper, and it is told', async () => {
  const { worker } = await start(lab, closed);
  await replaceKeeper();
  expect(connect()).toBe('PermissionError');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  // another one is still refused, and so are the duties done: a loader is started again …
  const other = startToEnd(lab, loaderArguments(lab, worker.pid ?? 0), settings(closed));
  expect(other.code).toBe(5);
  const restarts = () => logOf(lab).split('restarted').length - 1;
  const before = restarts();
  process.kill(loaderOf(lab).proper, 'SIGKILL');
  await until(() => restarts() > before, 'a new loader and its daemon');
  expect(connect()).toBe('PermissionError');
  expect(told()).toBe(1);
  // … and the worker's exit tears down
  worker.kill('SIGKILL');
  await expectUndone(lab);
  cases.closed(109, 'the keeper is killed');
});

test('keepers that are killed again and again leave one daemon, one loader and one keeper', async () => {
  const { worker } = await start(lab, closed);
  for (let round = 0; round < 4; round++) await replaceKeeper();
  await until(() => pidsOf(lab, 'cargowall.daemon').length === 1, 'one daemon');
  expect(pidsOf(lab, 'cargowall.loader')).toHaveLength(2);
  expect(connect()).toBe('PermissionError');
  worker.kill('SIGKILL');
  await expectUndone(lab);
});

test('a keeper that dies with its worker tears down all the same', async () => {
  const { worker } = await start(lab, closed);
  for (const pid of [loaderOf(lab).keeper, worker.pid ?? 0]) process.kill(pid, 'SIGKILL');
  await expectUndone(lab);
});

test('the death of keeper and loader leaves the job closed, and the next start clears their remains', async () => {
  await start(lab, closed);
  for (const pid of pidsOf(lab, 'cargowall.loader')) process.kill(pid, 'SIGKILL');
  await until(() => pidsOf(lab, 'cargowall.daemon').length === 0, 'the daemon dies with them');
  expect(connect()).toBe('PermissionError');
  const { green } = await start(lab, closed);
  expect(green).toMatchObject({ wall: 0, pin: 0 });
  expect(connect()).toBe('PermissionError');
  expect(logOf(lab)).not.toContain('restarted');
  const mounts = lab.run('grep', '-c', ' /run/cargowall', '/proc/self/mounts').stdout.trim();
  expect(mounts).toBe('3');
  cases.closed(109, 'keeper and loader are killed; the next start clears what they left');
});

test.each(['keeper', 'loader'])('a stopped %s does not stop the session', async (which) => {
  const { worker } = await start(lab, closed);
  const { keeper, proper } = loaderOf(lab);
  const stopped = which === 'loader' ? proper : keeper;
  process.kill(stopped, 'SIGSTOP');
  expect(connect()).toBe('PermissionError');
  await until(() => events(lab).some((one) => one.destination === OTHER4), 'the record');
  const goesOn = () =>
    findLoader(lab) !== undefined &&
    pidsOf(lab, 'cargowall.loader').every((pid) => statusOf(pid, 'State') !== 'T');
  await until(goesOn, 'keeper and loader run');
  worker.kill('SIGKILL');
  await expectUndone(lab);
  cases.closed('108, 109', `the ${which} is stopped`);
});

test('a daemon that stands still does not outlive its loader', async () => {
  const { green } = await start(lab, closed);
  process.kill(green.pid, 'SIGSTOP');
  process.kill(loaderOf(lab).proper, 'SIGKILL');
  await until(() => {
    const now = pidsOf(lab, 'cargowall.daemon');
    return now.length === 1 && now[0] !== green.pid;
  }, 'one daemon, a new one');
});

test('a daemon that is stopped is replaced at once', async () => {
  const { green } = await start(lab, closed);
  process.kill(green.pid, 'SIGSTOP');
  await until(() => statusOf(green.pid, 'State') === undefined, 'its end', 3000);
  await until(() => logOf(lab).includes('restarted'), 'a new daemon');
  expect(connect()).toBe('PermissionError');
  cases.closed(108, 'the daemon is stopped');
});

test('a daemon that gives no sign of life is replaced', async () => {
  const { green } = await start(lab, closed);
  hang(lab);
  await until(() => !pidsOf(lab, 'cargowall.daemon').includes(green.pid), 'its end', 20_000);
  expect(connect()).toBe('PermissionError');
  await until(() => logOf(lab).includes('restarted'), 'a new daemon');
  cases.closed(108, 'the daemon hangs');
});
