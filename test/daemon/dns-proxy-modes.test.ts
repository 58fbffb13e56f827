// The proxy for the runner, in audit mode, in the proof, before green, and under bad input.
import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/core/net/address.ts';
import { aProxy, type Heard, query, read } from '../fakes/dns-world.ts';

describe('the runner', () => {
  const NAME = 'pipelines.actions.githubusercontent.com';

  test('is answered its own hosts whatever the rules say; its grants are its own', async () => {
    const world = aProxy({ block: 'githubusercontent.com' });
    world.upstream.set(`${NAME} A`, [{ type: 'A', name: NAME, data: '192.0.2.1', ttl: 60 }]);
    expect(read(await world.ask(query(NAME))).rcode).toBe('REFUSED');
    expect(read(await world.ask(query(NAME), { scope: 1 })).answers).toHaveLength(1);
    expect(world.kernel.writes.map((write) => [write.key[0], write.key[4]])).toEqual([[1, 2]]);
    expect(
      world.proxy.resolutions.namesFor(parseAddress('192.0.2.1') ?? new Uint8Array(16), 0),
    ).toEqual([]);
  });

  test('may add four further storage accounts, nobody else any', async () => {
    const world = aProxy({});
    const account = (n: number) => `productionresultssa${n}.blob.core.windows.net`;
    for (let n = 20; n < 26; n++) {
      world.upstream.set(`${account(n)} A`, [
        { type: 'A', name: account(n), data: `192.0.2.${n}`, ttl: 60 },
      ]);
    }
    expect(read(await world.ask(query(account(20)))).rcode).toBe('REFUSED');
    const rcodes: unknown[] = [];
    for (let n = 20; n < 26; n++)
      rcodes.push(read(await world.ask(query(account(n)), { scope: 1 })).rcode);
    expect(rcodes).toEqual(['NOERROR', 'NOERROR', 'NOERROR', 'NOERROR', 'REFUSED', 'REFUSED']);
    expect(world.proxy.runnerAccounts()).toEqual([20, 21, 22, 23].map(account));
  });
});

describe('audit', () => {
  test('forwards a refused question unchanged but for the id and records it', async () => {
    const world = aProxy({ allow: 'ok.example', mode: 'audit' });
    world.upstream.set('evil.test A', [
      { type: 'A', name: 'evil.test', data: '192.0.2.9', ttl: 60 },
    ]);
    const message = query('Evil.TEST', 'A', { id: 99, opt: true, flags: packet.CHECKING_DISABLED });
    const reply = await world.ask(message);
    expect(world.upstream.heard[0]?.message).toEqual(Uint8Array.from(message));
    expect(Buffer.from(reply ?? []).readUInt16BE(0)).toBe(99);
    expect(Buffer.from(reply ?? []).subarray(2)).toEqual(
      Buffer.from(world.upstream.said[0] ?? []).subarray(2),
    );
    expect(world.blocked).toMatchObject([{ name: 'evil.test', wouldDeny: true }]);
    expect(world.kernel.writes).toEqual([]);
  });

  test('returns loopback answers unchanged and records what enforce would have emptied', async () => {
    const world = aProxy({ allow: 'ok.example', mode: 'audit' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '127.0.0.1', ttl: 60 },
    ]);
    expect(read(await world.ask(query('ok.example'))).answers).toMatchObject([
      { data: '127.0.0.1' },
    ]);
    expect(world.blocked).toMatchObject([{ reason: 'guarded addresses only', wouldDeny: true }]);
  });

  test('keeps grants exactly as enforce does', async () => {
    const world = aProxy({ allow: 'ok.example:443', mode: 'audit' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    await world.ask(query('ok.example'));
    expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
    expect(world.granted('192.0.2.1', 80)).toEqual([]);
  });

  test("refuses the proof's name and answers local names itself", async () => {
    const world = aProxy({ mode: 'audit' });
    expect(read(await world.ask(query('n0nce.invalid'))).rcode).toBe('REFUSED');
    expect(read(await world.ask(query('localhost'))).answers).toMatchObject([
      { data: '127.0.0.1' },
    ]);
    expect(world.upstream.heard).toEqual([]);
  });

  test('before the flip nothing is refused and nothing recorded', async () => {
    const world = aProxy({ mode: 'noting' });
    world.upstream.set('evil.test A', [
      { type: 'A', name: 'evil.test', data: '192.0.2.9', ttl: 60 },
    ]);
    expect(read(await world.ask(query('evil.test'))).answers).toHaveLength(1);
    expect(world.blocked).toEqual([]);
  });
});

describe('the proof', () => {
  test.each(['enforce', 'audit'] as const)(
    'in %s: one name refused, one through a real grant',
    async (mode) => {
      const world = aProxy({ mode, default: 'allow' });
      expect(read(await world.ask(query('n0nce.invalid'))).rcode).toBe('REFUSED');
      expect(world.blocked).toMatchObject([{ reason: 'proof' }]);
      const answer = read(await world.ask(query('n0nce.cargowall.internal')));
      expect(answer.answers).toMatchObject([{ data: '203.0.113.254', ttl: 60 }]);
      expect(world.granted('203.0.113.254')).toEqual(['n0nce.cargowall.internal']);
      expect(world.upstream.heard).toEqual([]);
    },
  );
});

describe('default allow', () => {
  test("a name's denied ports are denied on its addresses, before the answer leaves", async () => {
    const world = aProxy({ default: 'allow', block: 'ok.example:25' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
    const kinds = world.kernel.writes.map((write) => [write.key[4], write.key[5], write.key[6]]);
    expect(kinds).toEqual([
      [3, 6, 25],
      [3, 17, 25],
    ]);
  });
});

describe('what is not answered', () => {
  test('a client that is not in the owner map, without asking anybody', async () => {
    const world = aProxy({ allow: 'ok.example' });
    expect(await world.ask(query('ok.example'), { unowned: true })).toBeUndefined();
    expect(world.upstream.heard).toEqual([]);
    expect(world.proxy.counters.unowned).toBe(1);
  });

  test.each([
    [
      'two questions',
      Buffer.concat([
        query('ok.example').subarray(0, 4),
        Buffer.from([0, 2]),
        query('ok.example').subarray(6),
      ]),
      1,
    ],
    ['no question', Buffer.from([0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1],
    [
      'another opcode',
      Buffer.concat([Buffer.from([0, 7, 0x28, 0]), query('ok.example').subarray(4)]),
      4,
    ],
  ])('%s, but with a code', async (_name, message, rcode) => {
    const world = aProxy({ allow: 'ok.example' });
    const reply = await world.ask(message);
    expect((reply?.[3] ?? 0) & 15).toBe(rcode);
    expect(world.upstream.heard).toEqual([]);
  });

  test('whatever bytes come, the proxy lives and opens nothing', async () => {
    const world = aProxy({ allow: 'ok.example' });
    const whole = Uint8Array.from(query('evil.test', 'A', { opt: true }));
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) });
    const mutated = fc.array(change, { maxLength: 4 }).map((changes) => {
      const message = whole.slice();
      for (const { at, to } of changes) message[at] = to;
      return message;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), async (message) => {
        const reply = await world.ask(message);
        if (reply !== undefined) expect(reply.subarray(0, 2)).toEqual(message.subarray(0, 2));
      }),
      { numRuns: 5000 },
    );
    expect(world.kernel.writes).toEqual([]);
  });
});

describe('before green', () => {
  test('names are resolved forward, both families, runner hosts for the runner', async () => {
    const runner = 'pipelines.actions.githubusercontent.com';
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    world.upstream.set('ok.example AAAA', [
      { type: 'AAAA', name: 'ok.example', data: '2001:db8::1', ttl: 60 },
    ]);
    world.upstream.set(`${runner} A`, [{ type: 'A', name: runner, data: '192.0.2.2', ttl: 60 }]);
    await world.proxy.preresolve(['ok.example', runner, 'gone.example']);
    expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
    expect(world.granted('2001:db8::1')).toEqual(['ok.example']);
    expect(world.granted('192.0.2.2')).toEqual([runner]);
    expect(world.upstream.heard.some((one: Heard) => one.key.startsWith('gone.example'))).toBe(
      false,
    );
  });

  test('an upstream that never answers holds nothing up for longer than its time', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.silent = true;
    const done = world.proxy.preresolve(['ok.example']);
    world.clock.advance(3000);
    await done;
    expect(world.kernel.writes).toEqual([]);
  });
});

test('names seen for an address serve the records, the latest first', async () => {
  const world = aProxy({ allow: 'a.example\nb.example' });
  for (const name of ['a.example', 'b.example']) {
    world.upstream.set(`${name} A`, [{ type: 'A', name, data: '192.0.2.1', ttl: 60 }]);
    await world.ask(query(name));
  }
  const address = parseAddress('192.0.2.1') ?? new Uint8Array(16);
  expect(world.proxy.resolutions.namesFor(address, 0)).toEqual(['b.example', 'a.example']);
  // What the second name opens was open already: nobody can have been refused for want of it.
  expect(world.opened).toEqual([{ name: 'a.example', addresses: ['192.0.2.1'] }]);
});

test('an opening is told once for as long as it lives, and again after its end', async () => {
  const world = aProxy({ allow: 'a.example:443' });
  world.upstream.set('a.example A', [{ type: 'A', name: 'a.example', data: '192.0.2.1', ttl: 60 }]);
  for (let times = 0; times < 3; times++) await world.ask(query('a.example'));
  expect(world.opened).toHaveLength(1);
  world.clock.advance(301_000);
  await world.ask(query('a.example'));
  expect(world.opened).toHaveLength(2);
});

test('a flood of the job’s questions leaves the runner’s room', async () => {
  const world = aProxy({ allow: 'ok.example' });
  world.upstream.silent = true;
  const ask = (name: string, isRunner: boolean) =>
    world.proxy.handle(query(name), { address: '127.0.0.1', port: 40_000, proto: 'udp', isRunner });
  const states = { answered: 0 };
  const noted = (reply: Promise<Uint8Array | undefined>) =>
    reply.then(() => {
      states.answered++;
    });
  for (let at = 0; at < 2048; at++) void noted(ask(`h${at}.ok.example`, false));
  expect(read(await ask('more.ok.example', false)).rcode).toBe('SERVFAIL');
  expect(world.proxy.counters.overloaded).toBe(1);
  void noted(ask('runner.ok.example', true));
  await world.settle();
  expect(states.answered).toBe(0);
  expect(world.upstream.heard.at(-1)?.key).toBe('runner.ok.example A');
});

test('a refusal is not held back when nobody says whose the question was', async () => {
  const world = aProxy({ allow: 'ok.example' });
  const asked = world.ask(query('evil.example'), { silent: true, isRunner: false });
  await world.settle();
  world.clock.advance(1500);
  expect(read(await asked).rcode).toBe('REFUSED');
  expect(world.blocked).toEqual([]);
});
