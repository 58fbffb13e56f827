// No process takes all connections of the proxy, and none of the job's takes the runner's.
import { expect, test } from 'vitest';
import { SCOPE } from '../../src/core/flow/layout.gen.ts';
import { StreamRoom } from '../../src/daemon/stream-room.ts';

const RUNNER_PID = 7;
const NOBODY = { startNs: 0n, execs: 0 };

/** A room whose clients' port is their process; port 0 is nobody's. */
function aRoom() {
  const room = new StreamRoom(({ port: pid }) => {
    const scope = pid === RUNNER_PID ? SCOPE.RUNNER : SCOPE.EVERYONE;
    const asker = { pid, comm: 'x', uid: 1001, origin: 0, scope, cgroup: '1', ...NOBODY };
    return Promise.resolve(pid === 0 ? undefined : asker);
  });
  const admit = (pid: number) => room.admit({ address: '127.0.0.1', port: pid, proto: 'tcp' });
  const fill = async (pid: number, times: number) => {
    const all = await Promise.all(Array.from({ length: times }, () => admit(pid)));
    return all.filter((one) => one !== undefined);
  };
  return { room, admit, fill };
}

test('one process has its share and no more, and another one has room still', async () => {
  const { room, admit, fill } = aRoom();
  expect(await fill(100, 500)).toHaveLength(64);
  expect(room.refused).toBe(436);
  expect(await admit(101)).toBeDefined();
});

test('processes nobody knows have one share together', async () => {
  const { fill } = aRoom();
  expect(await fill(0, 100)).toHaveLength(64);
});

test('many processes together take nothing of the runner, nor it of theirs', async () => {
  const { room, admit, fill } = aRoom();
  let taken = 0;
  for (let pid = 100; pid < 120; pid++) taken += (await fill(pid, 64)).length;
  expect(taken).toBe(256);
  const refused = room.refused;
  expect(await fill(RUNNER_PID, 200)).toHaveLength(128);
  expect(room.refused).toBe(refused + 72);
  expect(await admit(300)).toBeUndefined();
});

test('what is given back can be taken again', async () => {
  const { fill } = aRoom();
  for (const pid of [RUNNER_PID, 100]) {
    const first = await fill(pid, 200);
    for (const leave of first) leave();
    expect(await fill(pid, 200)).toHaveLength(first.length);
  }
});
