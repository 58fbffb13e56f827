import { describe, expect, test } from 'vitest';
import { buildPolicy } from '../../../src/core/policy/build-policy.ts';

const INPUTS = {
  allowedHosts: '',
  blockedHosts: '',
  allowedCidrs: '',
  blockedCidrs: '',
  searchDomains: '',
  githubServiceHosts: '',
  azureInfraHosts: '',
  expectedBlocks: '',
  sudoLockdown: false,
  sudoAllowCommands: '',
};

function warningsOf(inputs: Partial<typeof INPUTS>): readonly string[] {
  const built = buildPolicy({ ...INPUTS, ...inputs }, undefined, {
    actionsUrls: [],
    serverUrl: '',
  });
  return built.warnings
    .filter(({ message }) => message.includes('DNS over HTTPS'))
    .map(({ source, line, column, found }) => `${source} ${line}:${column} ${found}`);
}

describe('a rule that opens a public resolver is a warning', () => {
  test.each([
    [{ allowedHosts: 'ok.example, dns.google' }, ['input allowed-hosts 1:13 dns.google']],
    [{ allowedHosts: '=cloudflare-dns.com:443' }, ['input allowed-hosts 1:1 =cloudflare-dns.com']],
    [{ allowedHosts: '*.quad9.net' }, ['input allowed-hosts 1:1 *.quad9.net']],
    [{ allowedHosts: 'google.com:853/tcp' }, ['input allowed-hosts 1:1 google.com']],
    [{ allowedCidrs: '1.1.1.1:443/udp' }, ['input allowed-cidrs 1:1 1.1.1.1']],
    [{ allowedCidrs: '8.8.0.0/16' }, ['input allowed-cidrs 1:1 8.8.0.0/16']],
    [{ allowedCidrs: '2606:4700::/32' }, ['input allowed-cidrs 1:1 2606:4700::/32']],
  ])('%j', (inputs, expected) => {
    expect(warningsOf(inputs)).toEqual(expected);
  });

  test.each([
    [{ allowedHosts: 'ok.example, github.com' }],
    [{ allowedHosts: 'dns.google:22, evildns.google.example' }],
    [{ blockedHosts: 'dns.google' }],
    [{ allowedCidrs: '8.8.8.8:80, 203.0.113.0/24' }],
    [{ blockedCidrs: '8.8.8.8' }],
  ])('%j opens none', (inputs) => {
    expect(warningsOf(inputs)).toEqual([]);
  });
});
