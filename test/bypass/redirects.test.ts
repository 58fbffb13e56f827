// Root brings frames to the uplink by another way than a socket's (R): by programs of other interfaces and
// of other cgroups, by one in a program of ours, and by taking the uplink somewhere else.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { BPF, MAPS } from '../lab/bpf.ts';
import { line, until } from '../lab/lab.ts';
import { ALLOWED, Arena, ATTACKER } from './arena.ts';
import { isDocumented, Told } from './told.ts';

/** What the wall answers a packet socket. */
const ENOBUFS = 'OSError 105';
let arena: Arena;
const told = new Told();
beforeEach(async () => {
  arena = new Arena('redirect');
  await arena.open();
  await arena.guard();
}, 60_000);
afterEach(() => arena.close());
afterAll(() => told.print());

function box(): string[] {
  return ['nsenter', `--net=/run/cw-netns/${arena.guarded.lab.box}`];
}

/** A frame of root's in the box, by one of its interfaces. */
function boxed(to: string, device: string) {
  const script = `frame(b"\\x08\\0", ipv4(17, udp(M), src="172.30.0.2"), "${device}")`;
  return arena.attempt('R', script, to, box());
}

async function foundSoon(words: string): Promise<void> {
  const since = Date.now();
  const found = () =>
    arena.guarded.run('grep', '"tamper"', '/run/cargowall/records/audit.jsonl').stdout;
  await until(() => found().includes(words), `"${words}"`);
  expect(Date.now() - since).toBeLessThan(2000);
}

/** Runs a script of root's until the lab ends; it says `stands` when it is done. */
async function standing(script: string): Promise<void> {
  const all = `${BPF}${MAPS}${script}\nprint('stands', flush=True); sys.stdin.read()`;
  await line(arena.guarded.lab.spawn(['/usr/bin/python3', '-u', '-c', all]), 'stands');
}

/** A program of in0's that sends each frame out by the uplink (bpf_redirect). */
const REDIRECT = (type: number, attach: number, flags: number) => `
code = insn(0xb7, 1, imm=socket.if_nametoindex('up0')) + insn(0xb7, 2) + insn(0x85, imm=23) + insn(0x95)
link = bpf(28, struct.pack('<IIIII', load(code, ${type}), socket.if_nametoindex('in0'), ${attach}, ${flags}, 0))`;

test('case 32 (R), a TC program of another interface sends frames out by the uplink', async () => {
  await standing(REDIRECT(3, 46, 0));
  const passed = boxed(ALLOWED, 'in1');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  const tried = boxed(ATTACKER, 'in1');
  expect(await arena.hasArrived(tried.marker, false)).toBe(false);
  expect(await arena.blocksOf(ATTACKER)).toHaveLength(1);
  told.closed(32, 'a TC program of another interface sends frames out by the uplink');
});

test('case 32 (R), an XDP program of another interface does, which no wall sees: it is told', async () => {
  await standing(REDIRECT(6, 37, 2));
  await foundSoon('an XDP program of somebody else stands on in0');
  const passed = boxed(ATTACKER, 'in1');
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  expect(isDocumented('L9')).toBe(true);
  told.limit(32, 'an XDP program of another interface sends frames out by the uplink', 'L9');
});

test('case 110 (R), programs that reach ours by their maps, or interfaces by a map, are told', async () => {
  await standing(`kept = writer(get('/run/cargowall/bpf/map_flows'))`);
  await foundSoon('a program of somebody else uses a map of the wall');
  await standing(`
devices = bpf(0, struct.pack('<IIII', 14, 4, 4, 1))
kept = load(insn(0x18, 1, 1, imm=devices) + insn(0) + insn(0xb7, 0, imm=2) + insn(0x95), 6)`);
  await foundSoon('an XDP program of somebody else has a map of devices');
  told.closed(110, 'a program of root’s uses a map of the wall, which is told');
});

test('case 110 (R), a program in the place of a function of ours is told', async () => {
  const out = resolve('build/test-bpf');
  const files = ['replace.bpf.o', 'replace'].map((name) => `${out}/${name}`);
  execFileSync('make', ['-s', '-C', 'test/bpf', `OUT=${out}`, ...files], { stdio: 'inherit' });
  const [object = '', program = ''] = files;
  const child = arena.guarded.lab.spawn([program, object, '/run/cargowall/bpf/program_tc']);
  const said = await new Promise<string>((done) => {
    child.stdout?.once('data', (bytes: Buffer) => done(bytes.toString().trim()));
  });
  if (said === 'stands') {
    await foundSoon('a program of somebody else stands in a program of the wall');
    told.closed(110, 'a program in the place of a function of ours, which is told');
  } else {
    told.absent(110, 'a program in the place of a function of ours', 'it takes no freplace');
  }
});

function frameHere() {
  return arena.attempt('R', 'frame4(ipv4(17, udp(M)))', ATTACKER);
}

test('case 35 (R), the uplink goes to another network namespace, and comes back', async () => {
  const { lab } = arena.guarded;
  expect(arena.root('ip', 'link', 'set', 'up0', 'netns', `/run/cw-netns/${lab.box}`)).toBe('');
  await foundSoon('moved the uplink up0 to another network namespace; its wall has gone along');
  expect(arena.root(...box(), 'ip', 'link', 'set', 'up0', 'up')).toBe('');
  const passed = boxed(ALLOWED, 'up0');
  expect(passed.stdout).toBe('sent\n');
  expect(boxed(ATTACKER, 'up0').stdout).toContain(ENOBUFS);
  const back = `/run/cw-netns/${lab.runner}`;
  expect(arena.root(...box(), 'ip', 'link', 'set', 'up0', 'netns', back)).toBe('');
  expect(arena.root('ip', 'addr', 'add', '192.0.2.2/24', 'dev', 'up0')).toBe('');
  expect(arena.root('ip', 'link', 'set', 'up0', 'up')).toBe('');
  expect(arena.root('ip', 'route', 'add', 'default', 'via', '192.0.2.1')).toBe('');
  expect(frameHere().stdout).toContain(ENOBUFS);
  expect(await arena.hasArrived(passed.marker, true)).toBe(true);
  told.closed(35, 'the uplink goes to another network namespace, which is told, with its wall');
});

test('case 110 (R), a program of the job’s cgroup sends allowed connections elsewhere', async () => {
  // user_ip4 = the attacker; return 1
  await standing(`
code = insn(0xb4, 2, imm=struct.unpack('<i', socket.inet_aton('${ATTACKER}'))[0]) + insn(0x63, 1, 2, 4)
code += insn(0xb7, 0, imm=1) + insn(0x95)
c, license = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b'GPL')
for attach in (10, 14):
    prog = bpf(5, struct.pack('<IIQQ', 18, len(code) // 8, at(c), at(license)) + bytes(44) + struct.pack('<I', attach))
    cgroup = os.open('${arena.guarded.lab.job}', os.O_RDONLY)
    bpf(28, struct.pack('<IIII', prog, cgroup, attach, 0))`);
  for (const script of ['stream()', 'datagram().sendto(M, (TO, 9))']) {
    const tried = arena.attempt('U', script, ALLOWED);
    expect(tried.stdout).toBe('PermissionError 1\n');
    expect(arena.saw(tried.marker)).toBe(false);
  }
  expect((await arena.blocksOf(ATTACKER)).length).toBeGreaterThan(0);
  told.closed(110, 'a program of the job’s cgroup sends allowed connections elsewhere');
});
