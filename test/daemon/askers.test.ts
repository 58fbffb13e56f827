import { expect, test } from 'vitest';
import { Askers } from '../../src/daemon/askers.ts';
import type { DnsClient } from '../../src/daemon/dns-ports.ts';

const client = (port: number): DnsClient => ({ address: '192.0.2.2', port, proto: 'udp' });

function aMap() {
  const asked: number[] = [];
  const due: (() => void)[] = [];
  const askers = new Askers({
    lookUp: ({ port }) => {
      asked.push(port);
      return Promise.resolve({
        ...{ pid: port + asked.length, comm: 'curl', uid: 1001 },
        ...{ origin: 2, scope: 0, cgroup: '42', startNs: 0n, execs: 0 },
      });
    },
    clock: { soon: (run) => due.push(run) },
  });
  const turn = () => {
    for (const run of due.splice(0)) run();
  };
  return { askers, asked, turn };
}

test('a thousand questions of one turn by one client are one look-up, those of another its own', async () => {
  const { askers, asked, turn } = aMap();
  const all = Array.from({ length: 1000 }, () => askers.of(client(40_000)));
  const other = askers.of(client(40_001));
  expect(asked).toEqual([]);
  turn();
  expect(new Set((await Promise.all(all)).map((asker) => asker?.pid))).toEqual(new Set([40_001]));
  expect((await other)?.pid).toBe(40_003);
  expect(asked).toEqual([40_000, 40_001]);
});

test('a question of a later turn never gets an earlier answer', async () => {
  const { askers, turn } = aMap();
  const first = askers.of(client(40_000));
  turn();
  await Promise.resolve();
  const later = askers.of(client(40_000));
  turn();
  expect((await first)?.pid).toBe(40_001);
  expect((await later)?.pid).toBe(40_002);
});
