import { expect, test } from 'vitest';
import { Identities } from '../../../src/core/audit/identities.ts';
import { decodeIdentities } from '../../../src/core/audit/identity.ts';
import { identityBytes } from '../../builders/an-identity.ts';

const START = 1_234_567_890n;

test('an identity is the file and the ancestors, the parent first', () => {
  const bytes = identityBytes({ pid: 9, startNs: START, execs: 2, ancestors: ['sh', 'node'] });
  expect([...decodeIdentities(bytes)]).toEqual([
    [
      { pid: 9, startNs: START, execs: 2 },
      {
        exe: { dev: '254:3', ino: '42', name: 'curl' },
        ancestry: [
          { pid: 8, start_ticks: 8, process: 'sh', exe: { dev: '254:3', ino: '43' } },
          { pid: 7, start_ticks: 7, process: 'node', exe: { dev: '254:3', ino: '44' } },
        ],
      },
    ],
  ]);
});

test.each([
  [
    'a memfd',
    { ino: 7n, isUnlinked: true, file: 'memfd:x' },
    { dev: '254:3', ino: '7', name: 'memfd:x', deleted: true },
  ],
  ['a thread of the kernel', { ino: 0n, file: '' }, undefined],
  ['a file without a name', { file: '' }, { dev: '254:3', ino: '42' }],
])('the file of %s', (_what, wishes, exe) => {
  const [told] = decodeIdentities(identityBytes({ pid: 9, startNs: START, ...wishes }));
  expect(told?.[1].exe).toEqual(exe);
});

test('what is cut short is refused', () => {
  const bytes = identityBytes({ pid: 9, startNs: START });
  expect(() => [...decodeIdentities(bytes.subarray(0, bytes.length - 1))]).toThrow(RangeError);
});

test('a process is told apart by its start and its execs, and one that is not known is counted', () => {
  const identities = new Identities();
  identities.tell(
    identityBytes({ pid: 9, startNs: START, file: 'sh' }, { pid: 9, startNs: START, execs: 1 }),
  );
  const nameOf = (who: { startNs?: bigint; execs?: number; pid?: number }) =>
    identities.of({ pid: 9, startNs: START, execs: 0, ...who })?.exe?.name;
  expect([nameOf({}), nameOf({}), nameOf({ execs: 1 })]).toEqual(['sh', 'sh', 'curl']);
  expect(identities.unknown).toBe(0);
  expect([nameOf({ execs: 2 }), nameOf({ execs: 2 }), nameOf({ startNs: START + 1n })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(identities.unknown).toBe(3);
  expect([nameOf({ pid: 0 }), nameOf({ startNs: 0n })]).toEqual([undefined, undefined]);
  expect(identities.unknown).toBe(3);
  identities.tell(identityBytes({ pid: 9, startNs: START, execs: 2, file: 'late' }));
  expect(nameOf({ execs: 2 })).toBe('late');
});

test('the latest 2,048 are known, and no more than twice as many', () => {
  const identities = new Identities();
  const known = (pid: number) => identities.of({ pid, startNs: START, execs: 0 }) !== undefined;
  for (let pid = 1; pid <= 10_000; pid++) identities.tell(identityBytes({ pid, startNs: START }));
  for (let pid = 10_000; pid > 10_000 - 2048; pid--) expect(known(pid)).toBe(true);
  const all = Array.from({ length: 10_000 }, (_, index) => known(index + 1));
  expect(all.filter((is) => is).length).toBeLessThanOrEqual(4096);
});
