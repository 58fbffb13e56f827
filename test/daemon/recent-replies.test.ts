// A question asked again within a moment: the same reply, and only where asking anew says the same.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OFFSET, WRITABLE_MAP } from '../../src/core/flow/layout.gen.ts';
import { replyKey } from '../../src/core/flow/reply-write.ts';
import { parseAddress } from '../../src/core/net/address.ts';
import type { MapWrite } from '../../src/core/policy/map-write.ts';
import { aProxy, query, read } from '../fakes/dns-world.ts';

const ADDRESS = parseAddress('192.0.2.1') ?? new Uint8Array(16);
const NAMES = ['long.example', 'short.example', 'never.example', 'none.example', 'evil.test'];

/** What the kernel gives by itself (bpf/again.bpf.h). */
function byKernel(world: ReturnType<typeof aWorld>, message: Uint8Array): Uint8Array | undefined {
  const key = replyKey(message, false);
  if (key === undefined) return undefined;
  const isOf = (write: MapWrite) =>
    write.map === WRITABLE_MAP.REPLIES && Buffer.compare(write.key, key) === 0;
  const last = world.kernel.writes.findLast(isOf);
  if (last === undefined || last.op === 'delete') return undefined;
  const view = new DataView(last.value.buffer);
  const at = OFFSET.reply_value;
  const nowNs = BigInt(world.clock.nowMs()) * 1_000_000n;
  if (view.getBigUint64(at.until_ns, true) <= nowNs) return undefined;
  const rest = last.value.subarray(at.reply, at.reply + view.getUint32(at.size, true));
  return Uint8Array.of(...message.subarray(0, 2), ...rest);
}

function aWorld() {
  const world = aProxy({ allow: NAMES.slice(0, 4).join() });
  const set = (name: string, ttl: number) =>
    world.upstream.set(`${name} A`, [{ type: 'A', name, data: '192.0.2.1', ttl }]);
  set('long.example', 60);
  set('short.example', 2);
  set('never.example', 0);
  world.upstream.set('none.example A', [], { flags: 3 });
  // between two whole seconds: a grant's end is one of them
  world.clock.advance(250);
  const client = { address: '127.0.0.1', port: 40_000, proto: 'udp' } as const;
  const asRunner = (message: Uint8Array, isRunner: boolean) =>
    world.proxy.handle(message, { ...client, isRunner });
  const handle = (message: Uint8Array) => asRunner(message, false);
  return { ...world, handle, asRunner };
}

describe('a question asked again', () => {
  test('gets the same reply under its own id, and no upstream is asked', async () => {
    const world = aWorld();
    const first = read(await world.handle(query('long.example', 'A', { id: 1 })));
    const again = read(world.proxy.again(query('long.example', 'A', { id: 2 }), false));
    expect(again).toEqual({ ...first, id: 2 });
    expect(world.upstream.heard).toHaveLength(1);
    expect(world.proxy.counters).toMatchObject({ queries: 2, answered: 2, cacheHits: 1 });
  });

  test.each([
    ['another case', query('LONG.example')],
    ['another type', query('long.example', 'AAAA')],
    ['other flags', query('long.example', 'A', { flags: 0x10 })],
    ['an OPT', query('long.example', 'A', { opt: true })],
    ['another name', query('long.example.x')],
  ])('%s is another question', async (_what, other) => {
    const world = aWorld();
    await world.handle(query('long.example'));
    expect(world.proxy.again(other, false)).toBeUndefined();
  });

  test("the runner's reply is not the job's", async () => {
    const world = aWorld();
    await world.asRunner(query('long.example'), true);
    expect(world.proxy.again(query('long.example'), false)).toBeUndefined();
    expect(world.proxy.again(query('long.example'), true)).toBeDefined();
  });

  test.each(['never.example', 'evil.test'])('%s is asked and judged each time', async (name) => {
    const world = aWorld();
    await world.handle(query(name));
    expect(world.proxy.again(query(name), false)).toBeUndefined();
  });

  test('another name on its address comes between', async () => {
    const world = aWorld();
    for (const name of ['long.example', 'short.example']) await world.handle(query(name));
    expect(world.proxy.again(query('long.example'), false)).toBeUndefined();
    expect(world.proxy.again(query('short.example'), false)).toBeDefined();
  });

  test('the grant it stands on lasts as long as after asking anew', async () => {
    const world = aWorld();
    await world.handle(query('long.example'));
    world.clock.advance(299_000);
    expect(world.proxy.again(query('long.example'), false)).toBeUndefined();
    await world.handle(query('long.example'));
    world.clock.advance(299_000);
    expect(world.granted('192.0.2.1')).toEqual(['long.example']);
  });

  test('opens what it names, also when the name has more addresses than hold grants', async () => {
    const world = aWorld();
    const of = (type: 'A' | 'AAAA', length: number, at: (index: number) => string) => {
      const answers = Array.from({ length }, (_, index) => {
        return { type, name: 'long.example', data: at(index), ttl: 60 };
      });
      world.upstream.set(`long.example ${type}`, answers);
    };
    of('A', 20, (index) => `192.0.2.${index + 1}`);
    of('AAAA', 60, (index) => `2001:db8::${(index + 1).toString(16)}`);
    const ask = async (type: 'A' | 'AAAA') => {
      const message = query('long.example', type, { opt: true });
      const given = byKernel(world, message) ?? world.proxy.again(message, false);
      return read(given ?? (await world.handle(message)));
    };
    for (const type of ['A', 'A', 'A', 'AAAA', 'A'] as const) await ask(type);
    const named = (await ask('A')).answers?.map((answer) => 'data' in answer && answer.data) ?? [];
    expect(named).toHaveLength(20);
    expect(named.filter((address) => world.granted(`${address}`).length === 0)).toEqual([]);
  });

  test('whatever is asked whenever, it says what asking anew says', async () => {
    const step = fc.record({
      name: fc.constantFrom(...NAMES),
      id: fc.nat(0xffff),
      afterMs: fc.constantFrom(0, 0, 1, 1, 300, 700, 1000, 1900, 61_000),
    });
    let givenInAll = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 40 }), async (steps) => {
        const quick = aWorld();
        const whole = aWorld();
        let given = 0;
        for (const { name, id, afterMs } of steps) {
          const message = query(name, 'A', { id });
          const fromKernel = byKernel(quick, message);
          if (fromKernel !== undefined) given++;
          const fromUs = () => quick.proxy.again(message, false) ?? quick.handle(message);
          const reply = fromKernel ?? (await fromUs());
          expect(reply).toEqual(await whole.handle(message));
          expect(quick.granted('192.0.2.1')).toEqual(whole.granted('192.0.2.1'));
          expect(quick.proxy.nameOf(ADDRESS)).toBe(whole.proxy.nameOf(ADDRESS));
          for (const world of [quick, whole]) world.clock.advance(afterMs);
        }
        const { queries, answered, cacheHits, ...more } = quick.proxy.totals();
        const all = { queries: queries + given, answered: answered + given };
        const totals = { ...more, ...all, cacheHits: cacheHits + given };
        expect(totals).toEqual(whole.proxy.totals());
        givenInAll += given;
      }),
      { numRuns: 60 },
    );
    expect(givenInAll).toBeGreaterThan(0);
  });
});
