import packet from 'dns-packet';
import { describe, expect, test } from 'vitest';
import type { Attempts } from '../../src/action/ports.ts';
import { proofLine, tryProof } from '../../src/action/prove.ts';

const GOOD = { what: 'connect to 203.0.113.252', outcome: 'EPERM', expected: 'EPERM' };
const NAMES = { refused: 'n.invalid', granted: 'n.cargowall.internal', ipv6: true };

/** A machine whose wall stands, but for what is changed. */
function attempts(changed: Partial<Attempts> = {}): Attempts {
  return {
    connect: (address) => Promise.resolve(address === '203.0.113.254' ? 'connected' : 'EPERM'),
    send: () => Promise.resolve('EPERM'),
    ask: (_address, message) => {
      const { questions = [] } = packet.decode(Buffer.from(message));
      const name = questions[0]?.name ?? '';
      const granted = name === NAMES.granted;
      const answers: packet.Answer[] = [{ type: 'A', name, ttl: 1, data: '203.0.113.254' }];
      return Promise.resolve(
        packet.encode({
          type: 'response',
          flags: granted ? 0 : 5,
          questions,
          answers: granted ? answers : [],
        }),
      );
    },
    ...changed,
  };
}

function why(line: string): string | undefined {
  const parsed = JSON.parse(line) as { readonly why?: string };
  return parsed.why;
}

test('the proof passes only when every attempt went as expected', () => {
  expect(JSON.parse(proofLine([GOOD]))).toEqual({ proof: 'passed' });
  const through = { ...GOOD, outcome: 'connected' };
  expect(JSON.parse(proofLine([GOOD, through]))).toEqual({
    proof: 'failed',
    why: 'connect to 203.0.113.252: connected, expected EPERM',
  });
});

test('a wall that stands is proved over both families', async () => {
  const tried = await tryProof(NAMES, attempts());
  expect(why(proofLine(tried))).toBeUndefined();
  expect(tried.map(({ what }) => what)).toContain('datagram to 2001:db8::fffd');
});

test('without IPv6 nothing of it is tried', async () => {
  const tried = await tryProof({ ...NAMES, ipv6: false }, attempts());
  expect(tried.filter(({ what }) => what.includes('2001:db8'))).toEqual([]);
});

describe('is no proof:', () => {
  const answerAll = attempts().ask;
  test.each<[string, Partial<Attempts>, string]>([
    ['a connect that gets through', { connect: () => Promise.resolve('connected') }, 'connect to'],
    ['a datagram that leaves', { send: () => Promise.resolve('sent') }, 'datagram to'],
    ['a resolver that is silent', { ask: () => Promise.resolve(undefined) }, 'no answer'],
    [
      'an answer that is none',
      { ask: () => Promise.resolve(Uint8Array.of(1, 2, 3)) },
      'an answer that is none',
    ],
    [
      'a canary that is refused',
      { connect: () => Promise.resolve('EPERM') },
      'connect to the allowed name: EPERM, expected connected',
    ],
    [
      'a resolver that refuses everything',
      {
        ask: (address) =>
          answerAll(address, packet.encode({ questions: [{ type: 'A', name: 'x' }] })),
      },
      'question for an allowed name: response code 5, expected 203.0.113.254',
    ],
  ])('%s', async (_name, changed, text) => {
    expect(why(proofLine(await tryProof(NAMES, attempts(changed))))).toContain(text);
  });
});
