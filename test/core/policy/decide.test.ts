import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/core/net/address.ts';
import {
  type Connection,
  decideConnection,
  type Surroundings,
} from '../../../src/core/policy/decide.ts';
import { aPolicy } from './policies.ts';

const ALONE: Surroundings = {
  localLength: () => undefined,
  grant: () => undefined,
  isDaemonGone: false,
  isResolver: () => false,
  upstream: undefined,
};

function to(text: string, more: Partial<Connection> = {}): Connection {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return { address, protocol: 6, port: 443, sender: 'everyone', isOtherNetns: false, ...more };
}

function granting(...kinds: readonly string[]): Surroundings {
  return { ...ALONE, grant: (kind) => (kinds.includes(kind) ? { rule: 7 } : undefined) };
}

describe('decideConnection', () => {
  const policy = aPolicy({
    allowedCidrs: '10.0.0.0/8:443, 192.0.2.53:53',
    blockedCidrs: '10.9.0.0/16, 172.18.0.3',
  });

  it.each([
    ['an allowed prefix', to('10.1.2.3'), ALONE, 'allow rule'],
    ['another port of it', to('10.1.2.3', { port: 80 }), ALONE, 'deny default'],
    ['a longer deny', to('10.9.1.1'), ALONE, 'deny rule'],
    ['a deny before a grant', to('10.9.1.1'), granting('user', 'auto'), 'deny rule'],
    ['a grant', to('1.1.1.1'), granting('user'), 'allow grant'],
    ['a denial before a grant', to('1.1.1.1'), granting('user', 'denial'), 'deny denial'],
    ['an auto grant', to('1.1.1.1'), granting('auto'), 'allow auto-grant'],
    [
      'a runner grant before all rules',
      to('10.9.1.1', { sender: 'runner' }),
      granting('runner'),
      'allow runner-grant',
    ],
    ['a runner grant asked by a step', to('10.9.1.1'), granting('runner'), 'deny rule'],
    ['loopback', to('127.0.0.1'), ALONE, 'allow local'],
    ['unspecified', to('::'), ALONE, 'allow local'],
    ['a denied local address', to('172.18.0.3'), { ...ALONE, localLength: () => 112 }, 'deny rule'],
    [
      'a local address under a wider deny',
      to('10.9.1.1'),
      { ...ALONE, localLength: () => 120 },
      'allow local',
    ],
    [
      'metadata is never local',
      to('169.254.169.254', { port: 81 }),
      { ...ALONE, localLength: () => 112 },
      'deny default',
    ],
    ['metadata by a step', to('169.254.169.254', { port: 80 }), ALONE, 'deny default'],
    [
      'metadata by the runner',
      to('169.254.169.254', { port: 80, sender: 'runner' }),
      ALONE,
      'allow auto-rule',
    ],
    [
      'metadata by the platform',
      to('169.254.169.254', { port: 80, sender: 'platform' }),
      ALONE,
      'allow auto-rule',
    ],
    [
      'private seen from a container',
      to('192.168.1.1', { isOtherNetns: true }),
      ALONE,
      'allow local',
    ],
    ['denied private from a container', to('10.9.1.1', { isOtherNetns: true }), ALONE, 'deny rule'],
    ['port 53', to('1.1.1.1', { port: 53 }), granting('user'), 'deny port-53'],
    ['port 53 of a prefix', to('10.1.2.3', { port: 53 }), ALONE, 'deny port-53'],
    [
      'port 53 of a single address',
      to('192.0.2.53', { port: 53, protocol: 17 }),
      ALONE,
      'allow rule',
    ],
    ['GRE', to('10.1.2.3', { port: 0, protocol: 47 }), ALONE, 'deny protocol'],
    ['ICMP', to('10.1.2.3', { port: 0, protocol: 1 }), ALONE, 'deny default'],
    ['the proof', to('203.0.113.252'), granting('user'), 'deny proof'],
    ['the canary', to('203.0.113.254', { port: 53 }), granting('user'), 'allow proof'],
    ['the canary without a grant', to('203.0.113.254', { port: 53 }), ALONE, 'deny proof'],
  ])('%s', (_, connection, now, expected) => {
    const { verdict, by } = decideConnection(policy, connection, now);
    expect(`${verdict} ${by}`).toBe(expected);
  });

  it('serves the runner its upstream when the daemon is gone', () => {
    const query = to('192.0.2.1', { port: 53, protocol: 17, sender: 'runner' });
    const now = { ...ALONE, isDaemonGone: true, upstream: { address: query.address, port: 53 } };
    expect(decideConnection(policy, query, now).verdict).toBe('allow');
    expect(decideConnection(policy, { ...query, sender: 'everyone' }, now).verdict).toBe('deny');
  });

  it('drops other protocols under default allow too', () => {
    const open = aPolicy({}, 'allow');
    expect(decideConnection(open, to('1.1.1.1', { port: 0, protocol: 47 }), ALONE).verdict).toBe(
      'deny',
    );
    expect(decideConnection(open, to('1.1.1.1'), ALONE).verdict).toBe('allow');
  });
});
