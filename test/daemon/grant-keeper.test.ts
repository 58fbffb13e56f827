// I2 through the whole proxy: what an answer opens is in the kernel before the answer leaves.
import { describe, expect, test } from 'vitest';
import { aProxy, query, read } from '../fakes/dns-world.ts';

describe('the kernel and the answer', () => {
  test('I2: a grant is acknowledged before its answer leaves', async () => {
    const world = aProxy({ allow: 'ok.example:443/tcp' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    const held = world.kernel.hold();
    let answered = false;
    const asked = world.ask(query('ok.example')).then((reply) => {
      answered = true;
      return reply;
    });
    await held.reached;
    await world.settle();
    expect(world.kernel.writes).toHaveLength(1);
    expect(answered).toBe(false);
    held.release();
    expect(read(await asked).answers).toHaveLength(1);
  });

  test('I2: a second client waits for the grant the first one opened', async () => {
    const world = aProxy({ allow: 'ok.example:443' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    const held = world.kernel.hold();
    const order: string[] = [];
    const first = world.ask(query('ok.example')).then(() => order.push('first'));
    await held.reached;
    const second = world.ask(query('ok.example')).then(() => order.push('second'));
    await world.settle();
    expect(order).toEqual([]);
    held.release();
    await Promise.all([first, second]);
    expect(order).toHaveLength(2);
    expect(world.upstream.heard).toHaveLength(1);
  });

  test('I2: a grant that is not acknowledged in time makes its answer SERVFAIL, and holds once it is', async () => {
    const world = aProxy({ allow: 'ok.example:443/tcp' });
    for (const [name, data] of [
      ['before.ok.example', '192.0.2.1'],
      ['ok.example', '192.0.2.2'],
    ] as const) {
      world.upstream.set(`${name} A`, [{ type: 'A', name, data, ttl: 60 }]);
    }
    const rcode = async (asked: ReturnType<typeof world.ask>) => read(await asked).rcode;
    expect(await rcode(world.ask(query('before.ok.example')))).toBe('NOERROR');
    const held = world.kernel.hold();
    const first = world.ask(query('ok.example'));
    await held.reached;
    world.clock.advance(1499);
    const second = world.ask(query('ok.example'));
    await world.settle();
    world.clock.advance(1);
    expect(await rcode(first)).toBe('SERVFAIL');
    expect(await rcode(second)).toBe('SERVFAIL');
    expect(await rcode(world.ask(query('ok.example')))).toBe('SERVFAIL');
    expect(await rcode(world.ask(query('before.ok.example')))).toBe('NOERROR');
    held.release();
    await world.settle();
    expect(await rcode(world.ask(query('ok.example')))).toBe('NOERROR');
  });

  test('a grant the kernel refuses makes its answer SERVFAIL, and is tried again', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    world.kernel.refuseNext();
    expect(read(await world.ask(query('ok.example')))).toMatchObject({
      rcode: 'SERVFAIL',
      answers: [],
    });
    expect(world.proxy.totals()).toMatchObject({ grantsRefused: 1 });
    expect(world.granted('192.0.2.1')).toEqual([]);
    expect(read(await world.ask(query('ok.example')))).toMatchObject({ rcode: 'NOERROR' });
    expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
  });

  test('a client that shares a grant the kernel then refuses gets SERVFAIL too', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    const held = world.kernel.hold();
    const first = world.ask(query('ok.example'));
    await held.reached;
    const second = world.ask(query('ok.example'));
    await world.settle();
    held.refuse();
    expect(read(await first).rcode).toBe('SERVFAIL');
    expect(read(await second).rcode).toBe('SERVFAIL');
    expect(world.granted('192.0.2.1')).toEqual([]);
  });
});

test('of a batch the kernel refuses, each answer depends on its own grants', async () => {
  const world = aProxy({ allow: 'ok.example' });
  for (const [name, data] of [
    ['a.ok.example', '192.0.2.1'],
    ['b.ok.example', '192.0.2.2'],
  ] as const) {
    world.upstream.set(`${name} A`, [{ type: 'A', name, data, ttl: 60 }]);
  }
  world.kernel.refuseNext(2); // both together, then the first by itself
  const [a, b] = await Promise.all([
    world.ask(query('a.ok.example')),
    world.ask(query('b.ok.example')),
  ]);
  expect([read(a).rcode, read(b).rcode]).toEqual(['SERVFAIL', 'NOERROR']);
  expect(world.granted('192.0.2.1')).toEqual([]);
  expect(world.granted('192.0.2.2')).toEqual(['b.ok.example']);
  expect(world.proxy.totals()).toMatchObject({ grantsRefused: 1 });
});
