// Cases of the DNS table (docs/dns.md) that need a whole proxy and no kernel.
import type packet from 'dns-packet';
import { expect, test } from 'vitest';
import { aProxy, query, read } from '../fakes/dns-world.ts';

const a = (name: string, data: string, ttl = 60): packet.Answer => ({ name, type: 'A', ttl, data });
const cname = (name: string, data: string): packet.Answer => ({
  name,
  type: 'CNAME',
  ttl: 60,
  data,
});
const MINUTE = 60_000;

test('a chain over several answers is learned hop by hop', async () => {
  const world = aProxy({ allow: 'ok.example:443' });
  world.upstream.set('ok.example A', [cname('ok.example', 'one.cdn.example')]);
  world.upstream.set('one.cdn.example A', [cname('one.cdn.example', 'two.edge.example')]);
  world.upstream.set('two.edge.example A', [a('two.edge.example', '192.0.2.1')]);
  expect(read(await world.ask(query('one.cdn.example'))).rcode).toBe('REFUSED');
  for (const name of ['ok.example', 'one.cdn.example', 'two.edge.example']) {
    expect(read(await world.ask(query(name))).rcode).toBe('NOERROR');
  }
  expect([world.granted('192.0.2.1', 443), world.granted('192.0.2.1', 80)]).toEqual([
    ['two.edge.example'],
    [],
  ]);
  expect(read(await world.ask(query('x.two.edge.example'))).rcode).toBe('REFUSED');
});

test('a name that aliases into a pattern gets nothing of the pattern', async () => {
  const world = aProxy({ allow: 'ok.example:443, *.cdn.example:80' });
  world.upstream.set('ok.example A', [
    cname('ok.example', 'a.cdn.example'),
    a('a.cdn.example', '192.0.2.1'),
  ]);
  await world.ask(query('ok.example'));
  expect([world.granted('192.0.2.1', 443), world.granted('192.0.2.1', 80)]).toEqual([
    ['ok.example'],
    [],
  ]);
});

test('5,000 addresses of one name hold 64 grants, the last answered', async () => {
  const world = aProxy({ allow: 'ok.example:443' });
  const address = (index: number) => `192.0.${2 + (index >> 8)}.${index & 255}`;
  for (let round = 0; round < 5; round++) {
    const some = Array.from({ length: 1000 }, (_, index) => address(round * 1000 + index));
    world.upstream.set(
      'ok.example A',
      some.map((one) => a('ok.example', one)),
    );
    const { answers = [] } = read(await world.ask(query('ok.example'), { proto: 'tcp' }));
    expect(answers).toHaveLength(1000);
    world.clock.advance(2 * MINUTE);
  }
  const live = Array.from({ length: 5000 }, (_, index) => address(index)).filter(
    (one) => world.granted(one).length > 0,
  );
  expect(live).toHaveLength(64);
  expect(live.at(-1)).toBe(address(4999));
  expect(world.proxy.totals()['grantsEvicted']).toBe(5000 - 64);
});

test('a TTL of 0, or above 2^31 - 1, is five minutes', async () => {
  for (const ttl of [0, 2 ** 31, 2 ** 32 - 1]) {
    const world = aProxy({ allow: 'ok.example:443' });
    world.upstream.set('ok.example A', [a('ok.example', '192.0.2.1', ttl)]);
    await world.ask(query('ok.example'));
    world.clock.advance(5 * MINUTE - 1);
    expect(world.granted('192.0.2.1'), `TTL ${ttl}`).toEqual(['ok.example']);
    world.clock.advance(1);
    expect(world.granted('192.0.2.1'), `TTL ${ttl}`).toEqual([]);
  }
});

test('identical questions at once are asked once', async () => {
  const world = aProxy({ allow: 'ok.example' });
  world.upstream.set('ok.example A', [a('ok.example', '192.0.2.1')]);
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, id) => world.ask(query('ok.example', 'A', { id }))),
  );
  expect(replies.map((reply) => read(reply).id)).toEqual(Array.from({ length: 50 }, (_, id) => id));
  expect(world.upstream.heard).toHaveLength(1);
});

test('a name whose addresses change keeps the old ones until their time', async () => {
  const world = aProxy({ allow: 'ok.example:443' });
  world.upstream.set('ok.example A', [a('ok.example', '192.0.2.1')]);
  await world.ask(query('ok.example'));
  world.clock.advance(2 * MINUTE);
  world.upstream.set('ok.example A', [a('ok.example', '192.0.2.2')]);
  await world.ask(query('ok.example'));
  expect([world.granted('192.0.2.1'), world.granted('192.0.2.2')]).toEqual([
    ['ok.example'],
    ['ok.example'],
  ]);
  world.clock.advance(3 * MINUTE);
  world.proxy.sweep();
  expect([world.granted('192.0.2.1'), world.granted('192.0.2.2')]).toEqual([[], ['ok.example']]);
});

test('two names on one address open each its own ports', async () => {
  const world = aProxy({ allow: 'web.example:443, db.example:5432' });
  for (const name of ['web.example', 'db.example']) {
    world.upstream.set(`${name} A`, [a(name, '192.0.2.1')]);
  }
  await world.ask(query('web.example'));
  expect(world.granted('192.0.2.1', 5432)).toEqual([]);
  await world.ask(query('db.example'));
  const open = [443, 5432, 80].map((port) => world.granted('192.0.2.1', port));
  expect(open).toEqual([['web.example'], ['db.example'], []]);
});

test('a client with a long cache of its own is let in for the life of the grant, and again after a question', async () => {
  const world = aProxy({ allow: 'ok.example:443' });
  world.upstream.set('ok.example A', [a('ok.example', '192.0.2.1', 5)]);
  await world.ask(query('ok.example'));
  world.clock.advance(4 * MINUTE);
  expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
  world.clock.advance(2 * MINUTE);
  expect(world.granted('192.0.2.1')).toEqual([]);
  await world.ask(query('ok.example'));
  expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
});

test('an ID, a case and a Z bit of the client never reach the upstream', async () => {
  const world = aProxy({ allow: 'ok.example' });
  world.upstream.set('ok.example A', [a('ok.example', '192.0.2.1')]);
  const asked = query('oK.eXaMpLe', 'A', { id: 0xbeef, flags: 0x0070 });
  const reply = read(await world.ask(asked));
  expect([reply.id, reply.questions?.[0]?.name]).toEqual([0xbeef, 'oK.eXaMpLe']);
  const [heard] = world.upstream.heard;
  const sent = Buffer.from(heard?.message ?? []);
  expect(sent.includes('ok')).toBe(true);
  expect(sent.readUInt16BE(2) & 0x00f0).toBe(0);
});
