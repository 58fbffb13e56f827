// Questions in sessions of their own: audit mode, short lifetimes, and a proxy under more than it can
// take.
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { line, until } from '../lab/lab.ts';
import { ATTACKER, a, DnsArena, HOME, OK, RESOLVER } from './dns-arena.ts';
import { Told } from './told.ts';

const told = new Told();
const ALLOW = `${OK}:443, barrier.example:443`;
let arena: DnsArena;

afterEach(() => arena.close());
afterAll(() => told.print());

test('case 70, audit mode forwards a name nobody has allowed, and says so', async () => {
  arena = new DnsArena('bdnsm');
  await arena.open();
  await arena.guard({ allow: ALLOW, mode: 'audit' });
  const marker = arena.marker();
  await arena.answers(`${marker}.evil.test`, a(`${marker}.evil.test`, ATTACKER));
  expect(arena.dig(`${marker}.evil.test`)).toContain(ATTACKER);
  expect(await arena.refusal(`${marker}.evil.test`)).toMatchObject({
    would_deny: true,
    blocked: false,
  });
  expect(await arena.hasArrived(marker)).toBe(true);
  const from = (await arena.events()).length;
  expect(arena.connect(ATTACKER)).toBe('connected');
  const isIt = ({ dst_ip: to }: { dst_ip?: string }) => to === ATTACKER;
  const events = await arena.events((all) => all.slice(from).some(isIt));
  expect(events.slice(from).find(isIt)).toMatchObject({
    event_type: 'connection_blocked',
    would_deny: true,
    blocked: false,
  });
  told.closed(70, 'a name nobody has allowed, in audit mode');
});

test('case 87, a grant ends with its lifetime, whatever the TTL says and wherever the name moves', async () => {
  arena = new DnsArena('bdnst');
  await arena.open();
  const names = ['huge.example', 'zero.example', 'long.example'] as const;
  const addresses = ['198.51.100.30', '198.51.100.20', '198.51.100.11'] as const;
  const ttls = [2 ** 31, 0, 3600] as const;
  await arena.guard({
    allow: `${ALLOW}, ${names.map((name) => `${name}:443`).join(', ')}`,
    times: { grantFloorMs: 3000 },
  });
  for (const [index, name] of names.entries()) {
    const address = addresses[index] ?? '';
    await arena.answers(name, a(name, address, ttls[index] ?? 0));
    expect(arena.dig(name)).toContain(address);
    expect(arena.connect(address), name).toBe('connected');
  }
  const [huge, zero, long] = addresses;
  for (const [name, old] of [
    ['huge.example', huge],
    ['zero.example', zero],
  ] as const) {
    await arena.answers(name, a(name, HOME));
    await until(() => arena.connect(old) === 'PermissionError', `the grant of ${name} to end`);
    expect(arena.dig(name)).toContain(HOME);
    expect(arena.connect(HOME)).toBe('connected');
    expect(arena.connect(old)).toBe('PermissionError');
    await arena.block(old, 443);
  }
  expect(arena.connect(long)).toBe('connected');
  told.closed(87, 'TTL 2^31 and 0, and an address that was moved from');
});

test('a daemon that comes back knows what its predecessor has granted', async () => {
  arena = new DnsArena('bdnsr');
  await arena.open();
  const [ours, theirs] = ['198.51.100.30', '198.51.100.11'];
  const allow = `${ALLOW}, *.but.test, *.all.test, *.one.test:443`;
  await arena.guard({ allow, block: '*.but.test:443' });
  for (const address of [ours, theirs]) {
    await arena.answers('a.but.test', a('a.but.test', address));
    await arena.answers('b.but.test', a('b.but.test', address));
    arena.dig(address === ours ? 'a.but.test' : 'b.but.test');
    expect(arena.connect(address)).toBe('PermissionError');
  }
  process.kill(arena.daemon, 'SIGKILL');
  const isBack = () => arena.records().some(({ event_type: kind }) => kind === 'daemon_restarted');
  await until(isBack, 'the next daemon');
  await arena.answers('c.all.test', a('c.all.test', ours));
  await until(() => arena.dig('c.all.test').includes(ours), 'its answers');
  expect(arena.connect(ours)).toBe('connected');
  expect(arena.connect(theirs)).toBe('PermissionError');
  expect(arena.connect(theirs, 80)).not.toBe('PermissionError');
}, 60_000);

/** 10,000 questions a second for five seconds, every other one below an allowed name; how many were sent. */
const FLOOD = `
import socket, struct, sys, time
def message(i, n): return struct.pack('>6H', i & 65535, 256, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l for l in n.split(b'.')) + b'\\0\\0\\1\\0\\1'
socks = []
for i in range(16):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('${RESOLVER}', 53)); s.setblocking(False); socks.append(s)
start, sent = time.monotonic(), 0
while time.monotonic() - start < 5:
    due = int((time.monotonic() - start) * 10000)
    while sent < due:
        n = b'leakflood.n%d.evil.test' % sent if sent % 2 else b'n%d.${OK}' % sent
        try: socks[sent % 16].send(message(sent, n))
        except OSError: pass
        sent += 1
    for s in socks:
        try:
            while True: s.recv(512)
        except OSError: pass
print('sent', sent, flush=True)
`;
/** 400 streams that send a byte and no more. */
const LORIS = `
import socket, time
held = []
for i in range(400):
    s = socket.socket(); s.settimeout(0.2)
    try:
        s.connect(('${RESOLVER}', 53)); s.send(b'\\0'); held.append(s)
    except OSError: pass
print('held', len(held), flush=True)
time.sleep(60)
`;
const RSS_MB = 120;
/** 256 clients of the one address that is asked, and what a quiet daemon has. */
const DESCRIPTORS = 256 + 100;

describe('case 91, a proxy under more than it can take', () => {
  test('slow streams, a dead upstream and 10,000 questions a second', async () => {
    arena = new DnsArena('bdnsl');
    await arena.open();
    await arena.guard({ allow: ALLOW });
    expect(arena.dig(OK)).toContain(HOME);
    await arena.script({ isDeaf: true });
    const { lab } = arena.guarded;
    const loris = lab.spawn(['/usr/bin/python3', '-u', '-c', LORIS]);
    const held = await line(loris, 'held', 120_000);
    const flood = lab.spawn(['/usr/bin/python3', '-u', '-c', FLOOD]);
    const sent = line(flood, 'sent', 60_000);
    let isDone = false;
    const done = sent.then(() => {
      isDone = true;
    });
    const worst = { rssMb: 0, descriptors: 0 };
    await until(
      () => {
        const { rssMb, descriptors } = arena.load();
        worst.rssMb = Math.max(worst.rssMb, rssMb);
        worst.descriptors = Math.max(worst.descriptors, descriptors);
        expect(arena.connect(ATTACKER)).toBe('PermissionError');
        expect(arena.connect(HOME)).toBe('connected');
        return isDone;
      },
      'the flood to end',
      60_000,
    );
    await done;
    process.stdout.write(
      `proxy under load: ${await sent}, ${held}, ${worst.rssMb.toFixed(0)} MB, ${worst.descriptors} descriptors\n`,
    );
    expect(worst.rssMb).toBeLessThan(RSS_MB);
    expect(worst.descriptors).toBeLessThan(DESCRIPTORS);
    loris.kill('SIGKILL');
    await arena.script({ isDeaf: false });
    await until(() => arena.dig(`again.${OK}`).includes('NXDOMAIN'), 'the proxy to answer', 20_000);
    expect(arena.dig(OK)).toContain(HOME);
    expect(await arena.hasArrived('leakflood')).toBe(false);
    const records = arena.records();
    const kinds = new Set(records.map(({ event_type: kind }) => kind));
    expect(kinds).not.toContain('daemon_restarted');
    expect(kinds).toContain('dns_upstream_down');
    told.closed(91, 'a proxy under more than it can take');
  }, 180_000);
});
