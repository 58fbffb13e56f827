// The malformed corpus: what each kind of broken question gets, by name.
import { describe, expect, test } from 'vitest';
import { aProxy, query, read } from '../../fakes/dns-world.ts';

const HEAD = '0007 0100 0001 0000 0000 0000';
const OK = '026f6b 076578616d706c65 00';
const A_IN = '0001 0001';
const OPT = '00 0029 04d0 00000000 0000';
const TSIG = '00 00fa 00ff 00000000 0000';

function bytes(...parts: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(parts.join('').replaceAll(' ', ''), 'hex'));
}

const label = (size: number) => `${size.toString(16).padStart(2, '0')}${'61'.repeat(size)}`;
/** 256 octets, one more than a name may have (RFC 1035 2.3.4). */
const LONG_NAME = `${label(63).repeat(3)}${label(62)}00`;

const CORPUS: readonly (readonly [string, Uint8Array, string])[] = [
  ['an empty message', bytes(), 'silence'],
  ['eleven bytes', bytes(HEAD).subarray(0, 11), 'silence'],
  ['an answer', bytes('0007 8100 0001 0000 0000 0000', OK, A_IN), 'silence'],
  ['a header alone', bytes(HEAD), 'FORMERR'],
  ['no question', bytes('0007 0100 0000 0000 0000 0000'), 'FORMERR'],
  ['two questions', bytes('0007 0100 0002 0000 0000 0000', OK, A_IN, OK, A_IN), 'FORMERR'],
  ['65,535 questions', bytes('0007 0100 ffff 0000 0000 0000', OK, A_IN), 'FORMERR'],
  ['a pointer to itself', bytes(HEAD, 'c00c', A_IN), 'FORMERR'],
  ['two pointers at each other', bytes(HEAD, 'c00e c00c', A_IN), 'FORMERR'],
  ['a pointer forward', bytes(HEAD, 'c020', A_IN), 'FORMERR'],
  ['a pointer into the header', bytes(HEAD, 'c000', A_IN), 'FORMERR'],
  ['a label of 64 octets', bytes(HEAD, `40${'61'.repeat(64)}00`, A_IN), 'FORMERR'],
  ['a label of a reserved kind', bytes(HEAD, '80 6f6b 00', A_IN), 'FORMERR'],
  ['a name of 256 octets', bytes(HEAD, LONG_NAME, A_IN), 'FORMERR'],
  ['a name that does not end', bytes(HEAD, '026f6b'), 'FORMERR'],
  ['no type', bytes(HEAD, OK), 'FORMERR'],
  ['no class', bytes(HEAD, OK, '0001'), 'FORMERR'],
  ['half a class', bytes(HEAD, OK, '0001 00'), 'FORMERR'],
  [
    'an OPT that is cut off',
    bytes('0007 0100 0001 0000 0000 0001', OK, A_IN, '00 0029'),
    'FORMERR',
  ],
  ['two OPTs', bytes('0007 0100 0001 0000 0000 0002', OK, A_IN, OPT, OPT), 'FORMERR'],
  ['counts without records', bytes('0007 0100 0001 0005 0005 0005', OK, A_IN), 'FORMERR'],
  ['the opcode STATUS', bytes('0007 1100 0001 0000 0000 0000', OK, A_IN), 'NOTIMP'],
  ['the opcode UPDATE', bytes('0007 2900 0001 0000 0000 0000', OK, A_IN), 'NOTIMP'],
  ['the class CH', bytes(HEAD, OK, '0001 0003'), 'REFUSED'],
  ['the class ANY', bytes(HEAD, OK, '0001 00ff'), 'REFUSED'],
  ['the type ANY', bytes(HEAD, OK, '00ff 0001'), 'REFUSED'],
  ['the type AXFR', bytes(HEAD, OK, '00fc 0001'), 'REFUSED'],
  ['the type 0', bytes(HEAD, OK, '0000 0001'), 'REFUSED'],
  ['the root', bytes(HEAD, '00', A_IN), 'REFUSED'],
  ['a NUL in a label', bytes(HEAD, '036f006b 076578616d706c65 00', A_IN), 'REFUSED'],
  ['a dot in a label', bytes(HEAD, '0a6f6b2e6578616d706c65 00', A_IN), 'REFUSED'],
  [
    'EDNS of another version',
    bytes('0007 0100 0001 0000 0000 0001', OK, A_IN, '00 0029 04d0 00010000 0000'),
    'BADVERS',
  ],
  ['a signature', bytes('0007 0100 0001 0000 0000 0001', OK, A_IN, TSIG), 'NOERROR'],
  ['64 KB behind the question', bytes(HEAD, OK, A_IN, '00'.repeat(65_000)), 'FORMERR'],
];

async function outcome(message: Uint8Array, proto: 'udp' | 'tcp') {
  const world = aProxy({ allow: 'ok.example' });
  const data = '192.0.2.1';
  world.upstream.set('ok.example A', [{ name: 'ok.example', type: 'A', ttl: 60, data }]);
  const reply = await world.ask(message, { proto });
  const grants = world.kernel.writes.length;
  if (reply === undefined) return { said: 'silence', grants };
  const { rcode = '' } = read(reply);
  const isBadVersion = reply.length > 12 && (reply.at(-6) ?? 0) === 1 && rcode === 'NOERROR';
  return { said: isBadVersion ? 'BADVERS' : rcode, grants };
}

describe.each(['udp', 'tcp'] as const)('over %s', (proto) => {
  test.each(CORPUS)('%s', async (_name, message, expected) => {
    const { said, grants } = await outcome(message, proto);
    expect(said).toBe(expected);
    expect(grants > 0).toBe(expected === 'NOERROR');
  });

  test('a good question cut off anywhere opens nothing', async () => {
    const whole = Uint8Array.from(query('ok.example', 'A', { opt: true }));
    for (let size = 0; size < whole.length; size++) {
      const { said, grants } = await outcome(whole.subarray(0, size), proto);
      expect([size, grants, said]).toEqual([size, 0, size < 12 ? 'silence' : 'FORMERR']);
    }
  });
});
