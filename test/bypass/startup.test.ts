// Case 54: attempts all through the start. From green on nobody reaches an address that is not
// allowed, and nobody is kept from one that is.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eachLine, line, until } from '../lab/lab.ts';
import { ALLOWED, Arena, ATTACKER } from './arena.ts';
import { Told } from './told.ts';

const arena = new Arena('start');
const told = new Told();
beforeAll(() => arena.open(), 60_000);
afterAll(() => {
  arena.close();
  told.print();
});

/** Tries both addresses by both protocols, each time by a new socket, until its input ends. */
const HAMMER = `
import select
n = 0
def attempt(kind, address):
    began = time.time()
    try:
        if kind == 'd': datagram().sendto(b'mark-%s%s%d!' % (kind.encode(), address[-2:].encode(), n), (address, 9))
        else: s = socket.socket(); s.settimeout(1); s.connect((address, 443)); s.close()
        said = 'sent'
    except OSError as e: said = type(e).__name__
    print(f'{began:.6f} {kind} {address} {n} {said}', flush=True)
while n < 20000 and not select.select([sys.stdin], [], [], 0)[0]:
    n += 1
    for kind in 'ds':
        for address in ('${ALLOWED}', TO): attempt(kind, address)
print('over', flush=True)
`;

test('case 54 (U), attempts all through the start', async () => {
  const tries: { began: number; kind: string; to: string; n: string; said: string }[] = [];
  const child = arena.guarded.lab.spawn(arena.words('U', HAMMER, ATTACKER, 'mark-none!'));
  eachLine(child, (text) => {
    const [began, kind = '', to = '', n = '', said = ''] = text.split(' ');
    if (said !== '') tries.push({ began: Number(began), kind, to, n, said });
  });
  await line(child, 'sent');
  await arena.guard();
  const green = Date.now() / 1000;
  const count = tries.length;
  await until(() => tries.length > count + 400, 'attempts after green');
  const over = line(child, 'over');
  child.stdin?.end('\n');
  await over;
  await arena.barrier();

  expect(count).toBeGreaterThan(0);
  const before = tries.filter(({ began }) => began < green);
  const after = tries.filter(({ began }) => began > green);
  expect(before.some(({ to, said }) => to === ATTACKER && said === 'sent')).toBe(true);
  expect(after.length).toBeGreaterThan(300);
  for (const { to, said, kind, n } of after) {
    expect([kind, to, n, said]).toEqual([kind, to, n, to === ALLOWED ? 'sent' : 'PermissionError']);
    if (kind === 'd') expect(arena.saw(`mark-d${to.slice(-2)}${n}!`)).toBe(to === ALLOWED);
  }
  told.closed(54, 'attempts all through the start');
});
