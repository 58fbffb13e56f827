// The proxy whole, with a scripted upstream, a clock that stands still and a kernel that can wait.
import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/core/net/address.ts';
import { aProxy, type Heard, query, read } from '../fakes/dns-world.ts';

describe('enforce', () => {
  test("answers an allowed name under the client's id, case and question", async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    const answer = read(await world.ask(query('Ok.EXAMPLE', 'A', { id: 4711 })));
    expect(answer).toMatchObject({
      id: 4711,
      rcode: 'NOERROR',
      questions: [{ name: 'Ok.EXAMPLE' }],
    });
    expect(answer.answers).toMatchObject([{ type: 'A', data: '192.0.2.1', ttl: 60 }]);
  });

  test('a refused name never reaches the upstream and is recorded with its asker', async () => {
    const world = aProxy({ allow: 'ok.example' });
    const answer = read(await world.ask(query('secret.evil.test', 'A', { opt: true })));
    expect(answer.rcode).toBe('REFUSED');
    expect(answer.additionals?.[0]).toMatchObject({
      options: [{ code: 15, data: Buffer.from([0, 15]) }],
    });
    expect(world.upstream.heard).toEqual([]);
    expect(world.blocked).toMatchObject([
      {
        name: 'secret.evil.test',
        reason: 'not allowed',
        wouldDeny: false,
        asker: { pid: 77, comm: 'curl' },
      },
    ]);
  });

  test('asks the upstream for name and type and nothing else of the client', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', []);
    await world.ask(
      query('oK.example', 'A', { id: 1234, opt: true, flags: packet.CHECKING_DISABLED }),
    );
    const sent = packet.decode(Buffer.from(world.upstream.heard[0]?.message ?? []));
    expect(sent).toMatchObject({ flag_cd: false, questions: [{ name: 'ok.example', type: 'A' }] });
    expect(sent.additionals).toMatchObject([{ udpPayloadSize: 1232, options: [] }]);
  });

  test('follows aliases, grants under the question, and learns the hops', async () => {
    const world = aProxy({ allow: 'ok.example:443' });
    world.upstream.set('ok.example A', [
      { type: 'CNAME', name: 'ok.example', data: 'edge.cdn.test', ttl: 60 },
      { type: 'A', name: 'edge.cdn.test', data: '192.0.2.1', ttl: 60 },
    ]);
    world.upstream.set('edge.cdn.test AAAA', [
      { type: 'AAAA', name: 'edge.cdn.test', data: '2001:db8::1', ttl: 60 },
    ]);
    expect(read(await world.ask(query('edge.cdn.test', 'AAAA'))).rcode).toBe('REFUSED');
    await world.ask(query('ok.example'));
    expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
    expect(read(await world.ask(query('edge.cdn.test', 'AAAA'))).answers).toHaveLength(1);
    expect(world.granted('2001:db8::1')).toEqual(['edge.cdn.test']);
    expect(world.granted('2001:db8::1', 80)).toEqual([]);
    expect(read(await world.ask(query('edge.cdn.test', 'TXT'))).rcode).toBe('REFUSED');
    expect(read(await world.ask(query('below.edge.cdn.test'))).rcode).toBe('REFUSED');
    world.clock.advance(300_000);
    expect(read(await world.ask(query('edge.cdn.test', 'AAAA'))).rcode).toBe('REFUSED');
  });

  test('uses only records on the chain of the answer section', async () => {
    const world = aProxy({ allow: 'ok.example' });
    const extra: packet.Answer = { type: 'A', name: 'other.test', data: '198.51.100.10', ttl: 60 };
    world.upstream.set(
      'ok.example A',
      [extra, { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 }],
      {
        authorities: [extra],
        additionals: [{ ...extra, name: 'ok.example' }],
      },
    );
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
    expect(world.granted('198.51.100.10')).toEqual([]);
  });

  test('takes loopback out of an answer, says NODATA and records it', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '127.0.0.1', ttl: 60 },
    ]);
    expect(read(await world.ask(query('ok.example')))).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
    });
    expect(world.blocked).toMatchObject([{ name: 'ok.example', reason: 'guarded addresses only' }]);
    expect(world.kernel.writes).toEqual([]);
  });

  test('private addresses are answered, and open only with private: true', async () => {
    const world = aProxy({ allow: 'ok.example\nin.example', private: ['in.example'] });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '10.0.0.1', ttl: 60 },
    ]);
    world.upstream.set('in.example A', [
      { type: 'A', name: 'in.example', data: '10.0.0.2', ttl: 60 },
    ]);
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
    await world.ask(query('in.example'));
    expect(world.granted('10.0.0.1')).toEqual([]);
    expect(world.granted('10.0.0.2')).toEqual(['in.example']);
  });

  test('counts a cached answer down and asks again when it has ended', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    await world.ask(query('ok.example'));
    world.clock.advance(20_000);
    expect(read(await world.ask(query('ok.example'))).answers).toMatchObject([{ ttl: 40 }]);
    expect(world.upstream.heard).toHaveLength(1);
    world.clock.advance(40_000);
    await world.ask(query('ok.example'));
    expect(world.upstream.heard).toHaveLength(2);
  });

  test('keeps a NXDOMAIN for as long as its SOA says', async () => {
    const world = aProxy({ allow: 'ok.example' });
    const soa = { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 };
    world.upstream.set('ok.example A', [], {
      flags: 3,
      authorities: [{ type: 'SOA', name: 'ok.example', ttl: 600, data: soa }],
    });
    for (const ms of [0, 29_999, 1]) {
      world.clock.advance(ms);
      expect(read(await world.ask(query('ok.example'))).rcode).toBe('NXDOMAIN');
    }
    expect(world.upstream.heard).toHaveLength(2);
  });

  test('a grant lives for the floor, whatever the TTL, and the sweep deletes it', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 0 },
    ]);
    await world.ask(query('ok.example'));
    world.clock.advance(299_999);
    expect(world.granted('192.0.2.1')).toEqual(['ok.example']);
    world.clock.advance(1);
    expect(world.granted('192.0.2.1')).toEqual([]);
    world.proxy.sweep();
    expect(world.kernel.writes.some((write) => write.op === 'delete')).toBe(true);
  });

  test('asks over TCP when the answer is cut', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    world.upstream.cutOverUdp = true;
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
    expect(world.upstream.heard.map((one: Heard) => one.proto)).toEqual(['udp', 'tcp']);
  });

  test('cuts its own answer to what the client takes over UDP, not over TCP', async () => {
    const world = aProxy({ allow: 'ok.example' });
    const answers = Array.from({ length: 60 }, (_, i) => ({
      type: 'A' as const,
      name: 'ok.example',
      data: `192.0.2.${i}`,
      ttl: 60,
    }));
    world.upstream.set('ok.example A', answers);
    expect(read(await world.ask(query('ok.example')))).toMatchObject({
      flag_tc: true,
      answers: [],
    });
    expect(read(await world.ask(query('ok.example'), { proto: 'tcp' })).answers).toHaveLength(60);
  });

  test('tries the upstreams in order, and SERVFAIL is reported down at most once a minute', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 0 },
    ]);
    world.upstream.down.add('192.0.2.53');
    expect(read(await world.ask(query('ok.example'))).answers).toHaveLength(1);
    expect(world.upstream.heard.map((one: Heard) => one.server)).toEqual([
      '192.0.2.53',
      '192.0.2.54',
    ]);
    world.upstream.down.add('192.0.2.54');
    for (let i = 0; i < 3; i++)
      expect(read(await world.ask(query('ok.example'))).rcode).toBe('SERVFAIL');
    expect(world.downs).toBe(1);
    world.clock.advance(60_000);
    await world.ask(query('ok.example'));
    expect(world.downs).toBe(2);
  });

  test('answers reverse questions from live grants alone', async () => {
    const world = aProxy({ allow: 'ok.example' });
    world.upstream.set('ok.example A', [
      { type: 'A', name: 'ok.example', data: '192.0.2.1', ttl: 60 },
    ]);
    expect(read(await world.ask(query('1.2.0.192.in-addr.arpa', 'PTR'))).rcode).toBe('NXDOMAIN');
    await world.ask(query('ok.example'));
    expect(read(await world.ask(query('1.2.0.192.in-addr.arpa', 'PTR'))).answers).toMatchObject([
      { type: 'PTR', data: 'ok.example' },
    ]);
    expect(world.upstream.heard).toHaveLength(1);
    expect(world.proxy.nameOf(parseAddress('192.0.2.1') ?? new Uint8Array(16))).toBe('ok.example');
  });

  test('names below a search domain: private answers only, no grant', async () => {
    const world = aProxy({ allow: 'ok.example', searchDomains: '.corp.example' });
    world.upstream.set('db.corp.example A', [
      { type: 'A', name: 'db.corp.example', data: '10.0.0.1', ttl: 60 },
    ]);
    world.upstream.set('data.corp.example A', [
      { type: 'A', name: 'data.corp.example', data: '192.0.2.9', ttl: 60 },
    ]);
    expect(read(await world.ask(query('db.corp.example'))).answers).toHaveLength(1);
    expect(read(await world.ask(query('data.corp.example')))).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
    });
    expect(world.blocked).toMatchObject([{ reason: 'public addresses below a search domain' }]);
    expect(world.kernel.writes).toEqual([]);
  });
});
