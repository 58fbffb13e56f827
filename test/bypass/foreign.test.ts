// Somebody else's program before the wall (R). One that ends the chain: the wall no longer sees
// frames, the cgroup layer still refuses, and the record says who stands there. One that tags them.
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { line, until } from '../lab/lab.ts';
import { ALLOWED, Arena } from './arena.ts';
import { isDocumented, Told } from './told.ts';
import { hold, resume } from './wall.ts';

let arena: Arena;
const told = new Told();
beforeEach(async () => {
  arena = new Arena('foreign');
  await arena.open();
  await arena.guard();
}, 60_000);
afterEach(() => arena.close());
afterAll(() => told.print());

/** A TCX program at the head of the uplink (BPF_LINK_CREATE, BPF_F_BEFORE), by its instructions. */
const HEAD = (code: string) => `
import ctypes, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def bpf(cmd, attr):
    b = ctypes.create_string_buffer(attr + bytes(128 - len(attr)), 128)
    r = libc.syscall(${process.arch === 'x64' ? 321 : 280}, cmd, b, 128)
    if r < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r
code = ctypes.create_string_buffer(bytes.fromhex('${code}'), ${code.length / 2})
name = ctypes.create_string_buffer(b'GPL')
program = bpf(5, struct.pack('<IIQQ', 3, len(code) // 8, ctypes.addressof(code), ctypes.addressof(name)))
link = bpf(28, struct.pack('<IIIII', program, socket.if_nametoindex('up0'), 47, 8, 0))
print('stands', flush=True); sys.stdin.read()
`;
/** return TCX_PASS */
const ENDS = 'b7000000000000009500000000000000';
/** bpf_skb_vlan_push(skb, 802.1Q, 7); return TCX_NEXT: the tag is left to the device */
const TAGS = 'b702000081000000b7030000070000008500000012000000b7000000ffffffff9500000000000000';

async function standsAtHead(code: string): Promise<void> {
  const child = arena.guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', HEAD(code)]);
  await line(child, 'stands');
}

test('case 59 (R), a program at the head of the uplink', async () => {
  await standsAtHead(ENDS);
  const since = Date.now();
  const found = () =>
    arena.guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  await until(() => found().includes('the uplink up0 have changed'), 'the finding');
  expect(Date.now() - since).toBeLessThan(2500);
  for (const [script, at] of [
    ['datagram().sendto(M, (TO, 9))', 1],
    ['stream()', 2],
    ['raw4(ipv4(17, udp(M)))', 3],
  ] as const) {
    const passed = arena.attempt('N', script, ALLOWED);
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
    const tried = arena.attempt('N', script, `203.0.112.${at}`);
    expect(tried.stdout).toContain('PermissionError');
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    expect((await arena.blocksOf(`203.0.112.${at}`)).length).toBeGreaterThan(0);
  }
  told.closed(59, 'a program at the head of the uplink');
});

/** An XDP program of the uplink's (BPF_PROG_TYPE_XDP, BPF_LINK_CREATE with BPF_XDP): XDP_PASS. */
const XDP = HEAD('b7000000020000009500000000000000')
  .replace("'<IIQQ', 3,", "'<IIQQ', 6,")
  .replace('47, 8, 0', '37, 2, 0');
/** A classifier of the uplink's own queue, which a frame meets behind the wall. */
const ANY = 'protocol ip prio 1 u32 match u32 0 0';
const HTB = `tc qdisc add dev up0 root handle 1: htb default 1 && tc class add dev up0 parent 1: classid 1:1 htb rate 1gbit`;
const FILTERS = [
  [
    "a classifier of the uplink's queue",
    `${HTB} && tc filter add dev up0 parent 1: ${ANY} flowid 1:1`,
  ],
  [
    "a classifier of a class of the uplink's queue",
    `${HTB} && tc filter add dev up0 parent 1:1 ${ANY} flowid 1:1`,
  ],
  [
    'a classifier of a queue in a queue',
    `${HTB} && tc qdisc add dev up0 parent 1:1 handle 10: htb && tc filter add dev up0 parent 10: ${ANY} flowid 10:1`,
  ],
  [
    'a filter behind the wall',
    `tc qdisc add dev up0 clsact && tc filter add dev up0 egress ${ANY} classid 1:1`,
  ],
  [
    'a filter of a block that devices share',
    `tc qdisc add dev up0 egress_block 7 clsact && tc filter add block 7 ${ANY} classid 1:1`,
  ],
] as const;

const LATE: readonly (readonly [string, readonly string[], string])[] = [
  ['an XDP program on the uplink', ['/usr/bin/python3', '-u', '-c', XDP], 'an XDP program'],
  ...FILTERS.map(
    ([what, made]) =>
      [what, ['sh', '-c', `${made} && echo stands && exec sleep 60`], 'a packet filter'] as const,
  ),
];

test.each(LATE)('case 59 (R), %s is told', async (what, words, finding) => {
  const found = () =>
    arena.guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  expect(found()).toBe('');
  const child = arena.guarded.lab.spawn(words);
  await line(child, 'stands');
  const since = Date.now();
  await until(() => found().includes(`${finding} of somebody else stands`), 'the finding');
  expect(Date.now() - since).toBeLessThan(2500);
  told.closed(59, what);
});

/** An XDP program of another interface's, which sends all it meets by the uplink: bpf_redirect(IFINDEX, 0). */
const AWAY = (index: number) =>
  XDP.replace('up0', 'in0')
    .replace(
      'b7000000020000009500000000000000',
      `b7010000${index.toString(16).padStart(2, '0')}000000b70200000000000085000000170000009500000000000000`,
    )
    .replace(', 16)', ', 32)');

test('case 59 (R), an XDP program of another interface that sends by the uplink', async () => {
  const { lab } = arena.guarded;
  const index = Number.parseInt(arena.guarded.run('ip', '-o', 'link', 'show', 'up0').stdout, 10);
  const child = lab.spawn(['/usr/bin/python3', '-u', '-c', AWAY(index)]);
  await line(child, 'stands');
  const since = Date.now();
  const found = () =>
    arena.guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  await until(() => found().includes('XDP program of somebody else stands on in0'), 'the finding');
  expect(Date.now() - since).toBeLessThan(2500);
  const box = ['nsenter', `--net=/run/cw-netns/${lab.box}`];
  const script = `
s = socket.socket(17, 3); s.bind(('in1', 0))
s.send(b'\\xff' * 6 + s.getsockname()[4] + b'\\x08\\0' + ipv4(17, udp(M), src='172.30.0.2'))`;
  const tried = arena.attempt('R', script, '203.0.112.59', box);
  expect([tried.stdout.trim(), tried.stderr]).toEqual(['sent', '']);
  expect(await arena.hasArrived(tried.marker, true)).toBe(true);
  expect(isDocumented('L9')).toBe(true);
  told.limit(59, 'an XDP program of another interface that sends by the uplink', 'L9');
});

test('case 28 (R), a tag that is left to the device', async () => {
  hold(arena.guarded); // else the wall is the first again within a second
  await standsAtHead(TAGS);
  const frame = (tags: number) =>
    `frame(b'\\x81\\0\\0\\1' * ${tags} + b'\\x08\\0', ipv4(17, udp(M)))`;
  for (const tags of [0, 1]) {
    const passed = arena.attempt('N', frame(tags), ALLOWED);
    expect(passed.stdout.trim()).toBe('sent');
    expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  }
  const refused = [
    { tags: 0, to: '203.0.112.28' },
    { tags: 1, to: '203.0.112.29' },
    { tags: 2, to: ALLOWED },
  ].map(({ tags, to }) => ({ tags, ...arena.attempt('N', frame(tags), to) }));
  // a frame is the barrier: who is behind the tag answers no neighbour discovery
  const last = arena.attempt('N', frame(0), ALLOWED);
  expect(await arena.hasArrived(last.marker, true)).toBe(true);
  for (const { tags, stdout, marker } of refused) {
    expect([tags, stdout.trim(), arena.saw(marker)]).toEqual([tags, 'OSError 105', false]);
  }
  resume(arena.guarded);
  for (const to of ['203.0.112.28', '203.0.112.29']) {
    expect(await arena.blocksOf(to)).toMatchObject([{ layer: 'tc' }]);
  }
  const isIt = (event: { reason?: string }) => event.reason === '0x8100';
  expect((await arena.guarded.events((all) => all.some(isIt))).some(isIt)).toBe(true);
  told.closed(28, 'a tag that is left to the device');
});
