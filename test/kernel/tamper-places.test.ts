// Root lays hands on keeper, loader and daemon, or on where they stand (spec 10): a record within two
// seconds, and they are where they were put again.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { line } from '../lab/lab.ts';
import { daemonOf, loaderOf, pidsOf } from '../lab/loader-processes.ts';
import { Tampering } from '../lab/tampering.ts';

let tampering: Tampering;
beforeEach(async () => {
  tampering = new Tampering('places');
  await tampering.open();
});
afterEach(() => tampering.close());
const cases = new Told();
afterAll(() => cases.print());

/** A process of root's that traces another, by a request of ptrace(2): SEIZE, or ATTACH, which stops it. */
async function trace(pid: number, request: 'SEIZE' | 'ATTACH'): Promise<void> {
  const number = request === 'SEIZE' ? 0x42_06 : 16;
  const script = `
import ctypes, sys
if ctypes.CDLL(None).ptrace(${number}, ${pid}, None, None) == 0: print('traces', flush=True)
sys.stdin.read()`;
  const { lab } = tampering.guarded;
  await line(lab.spawn(['/usr/bin/python3', '-c', script]), 'traces');
}

/** Writes a word to a file of a cgroup, as root. */
function write(cgroup: string, file: string, word: string | number): void {
  const { lab } = tampering.guarded;
  expect(tampering.root('sh', '-c', `echo ${word} > ${lab.cgroup}/${cgroup}/${file}`)).toBe('');
}

function isHeld(): void {
  expect(tampering.frame()).toBe('No buffer space available');
  expect(tampering.refused()).toBe('PermissionError');
}

describe('within two seconds there is a record when', () => {
  test.each([
    ['the daemon', () => daemonOf(tampering.guarded.lab)],
    ['the loader', () => loaderOf(tampering.guarded.lab).proper],
    ['the keeper', () => loaderOf(tampering.guarded.lab).keeper],
  ])('%s is traced', async (who, find) => {
    await trace(find(), 'SEIZE');
    await tampering.foundSoon(` traces ${who}`);
    isHeld();
    cases.closed(110, `${who} is traced, which is told`);
  });

  test('a stranger comes to the daemon’s cgroup', async () => {
    const { lab } = tampering.guarded;
    const script =
      'import os, sys; print("here", os.getpid(), flush=True); sys.stdin.read(); print(1)';
    const said = await line(lab.spawn(['/usr/bin/python3', '-c', script]), 'here');
    const pid = said.split(' ')[1] ?? '';
    write('cargowall.daemon', 'cgroup.procs', pid);
    await tampering.foundSoon(`process ${pid} of somebody else is in the daemon's cgroup`);
    expect(tampering.findings()).toHaveLength(1);
    cases.closed(110, 'a process goes to the daemon’s cgroup, which is told');
  });

  test('something is mounted over what is ours', async () => {
    const { lab } = tampering.guarded;
    const log = `/proc/${daemonOf(lab)}/root/run/cargowall/records/audit.jsonl`;
    expect(tampering.root('mount', '-t', 'tmpfs', 'over', '/run/cargowall')).toBe('');
    tampering.logIsAt(log);
    await tampering.foundSoon('the pin of the program egress_skb was gone');
    expect(tampering.refused()).toBe('PermissionError');
    expect(tampering.root('umount', '/run/cargowall')).toBe('');
    cases.closed(110, 'something is mounted over our files, which is told');
  });
});

describe('within two seconds there is a record, and it is put right, when', () => {
  test('the loader is stopped by a tracer', async () => {
    const { lab } = tampering.guarded;
    const before = loaderOf(lab);
    await trace(before.proper, 'ATTACH');
    await tampering.foundSoon(
      'the loader had been stopped by a tracer; another one has taken its place',
    );
    expect(loaderOf(lab).keeper).toBe(before.keeper);
    expect(loaderOf(lab).proper).not.toBe(before.proper);
    isHeld();
    cases.closed(108, 'a tracer stops the loader, which is told and mended');
  });

  test('the daemon is stopped by a tracer', async () => {
    const { lab } = tampering.guarded;
    const before = daemonOf(lab);
    await trace(before, 'ATTACH');
    await tampering.foundSoon(
      'the daemon had been stopped by a tracer; another one has taken its place',
    );
    expect(daemonOf(lab)).not.toBe(before);
    isHeld();
    cases.closed(108, 'a tracer stops the daemon, which is told and mended');
  });

  test('the daemon is frozen', async () => {
    write('cargowall.daemon', 'cgroup.freeze', 1);
    await tampering.foundSoon("the daemon's cgroup was frozen; it is no more");
    const { lab } = tampering.guarded;
    const freeze = `${lab.cgroup}/cargowall.daemon/cgroup.freeze`;
    expect(readFileSync(freeze, 'utf8')).toBe('0\n');
    expect(tampering.findings()).toHaveLength(1);
    cases.closed(108, 'the daemon is frozen, which is told and mended');
  });

  test.each([
    ['the daemon', 'cargowall.daemon', () => daemonOf(tampering.guarded.lab)],
    ['the loader', 'cargowall.loader', () => loaderOf(tampering.guarded.lab).proper],
  ] as const)('%s is moved to another cgroup', async (who, home, find) => {
    const { lab } = tampering.guarded;
    const pid = find();
    for (const times of [1, 2]) {
      write('job', 'cgroup.procs', pid);
      await tampering.foundAgain(`${who} was moved to another cgroup; it is back`, times);
      expect(pidsOf(lab, home)).toContain(pid);
    }
    isHeld();
    cases.closed(110, `${who} is moved to another cgroup, which is told and mended`);
  });
});
