import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/core/net/address.ts';
import { isExpectedFlow, isExpectedName } from '../../../src/core/policy/expected.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';

const policy = aSessionPolicy({
  expected: 'telemetry.example.com, =stats.example.net:443, 203.0.113.0/24, 198.51.100.7:80/tcp',
});
const TCP = 6;
const GRE = 47;

describe('a refused name is expected', () => {
  test.each([
    ['telemetry.example.com', true],
    ['eu.telemetry.example.com', true],
    ['stats.example.net', true],
    ['a.stats.example.net', false],
    ['example.com', false],
  ])('%s: %s', (name, expected) => {
    expect(isExpectedName(policy, name)).toBe(expected);
  });
});

describe('a refused flow is expected', () => {
  test.each([
    ['by its name', 'telemetry.example.com', '192.0.2.1', TCP, 25, true],
    ['by its name, on the port listed', 'stats.example.net', '192.0.2.1', TCP, 443, true],
    ['not on another port', 'stats.example.net', '192.0.2.1', TCP, 80, false],
    ['by its address', undefined, '203.0.113.9', TCP, 22, true],
    ['by its address, whatever the protocol', undefined, '203.0.113.9', GRE, 0, true],
    ['by its address and port', undefined, '198.51.100.7', TCP, 80, true],
    ['not with another protocol', undefined, '198.51.100.7', 17, 80, false],
    ['not where ports are listed', undefined, '198.51.100.7', GRE, 0, false],
    ['not by another name', 'other.example.org', '192.0.2.1', TCP, 443, false],
  ])('%s', (_what, name, text, protocol, port, expected) => {
    const address = parseAddress(text);
    expect(isExpectedFlow(policy, { name, address, protocol, port })).toBe(expected);
  });
});

test('without entries nothing is expected', () => {
  const none = aSessionPolicy({});
  expect(isExpectedName(none, 'telemetry.example.com')).toBe(false);
});
