import { describe, expect, it } from 'vitest';
import { buildPolicy } from '../../../src/core/policy/build-policy.ts';
import { renderProblem } from '../../../src/core/policy/problem.ts';
import { parsePolicyText } from '../../../src/edge/host/policy-file.ts';
import { aPolicy, built } from './policies.ts';

const INPUTS = {
  allowedHosts: '',
  blockedHosts: '',
  allowedCidrs: '',
  blockedCidrs: '',
  searchDomains: '',
  githubServiceHosts: 'none',
  azureInfraHosts: 'none',
  expectedBlocks: '',
  sudoLockdown: false,
  sudoAllowCommands: '',
};
const NOWHERE = { actionsUrls: [], serverUrl: '' };

function fromFile(text: string, inputs: Partial<typeof INPUTS> = {}) {
  const document = parsePolicyText(new TextEncoder().encode(text), 'p.yml');
  return buildPolicy({ ...INPUTS, ...inputs }, document, NOWHERE);
}

function errorsOf(text: string): readonly (readonly [number, number, string])[] {
  const result = fromFile(text);
  return 'errors' in result
    ? result.errors.map(({ line, column, found }) => [line, column, found])
    : [];
}

describe('buildPolicy', () => {
  it('unites inputs and file', () => {
    const result = fromFile(
      'version: 1\ndefault: allow\nrules:\n- { host: a.com, ports: [443, "53/udp", { port: 22, protocol: TCP }, { protocol: icmp }], reason: why, private: true }\n- { cidr: 10.0.0.0/8, ports: 80, action: deny }\nsearch-domains: [.corp.internal]\nexpected-blocks: [x.com]\n',
      { allowedHosts: 'b.com', searchDomains: 'corp.internal' },
    );
    if ('errors' in result) throw new Error(result.errors.map(renderProblem).join());
    const { policy } = result;
    const user = policy.rules.filter((rule) => rule.autoAllowedType === undefined);
    expect(user.map(({ id, text, action }) => [id, text, action])).toEqual([
      [1, 'b.com', 'allow'],
      [2, 'a.com', 'allow'],
      [3, '10.0.0.0/8', 'deny'],
    ]);
    expect(user[1]).toMatchObject({
      private: true,
      reason: 'why',
      where: { source: 'p.yml', line: 4, column: 11 },
      ports: [
        { port: 443, protocol: 'both' },
        { port: 53, protocol: 'udp' },
        { port: 22, protocol: 'tcp' },
        { port: 0, protocol: 'icmp' },
      ],
    });
    expect(policy.default).toBe('allow');
    expect(policy.searchDomains).toEqual(['corp.internal']);
    expect(policy.expectedBlocks.map((rule) => rule.text)).toEqual(['x.com']);
    expect(policy.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.parse(JSON.stringify(policy))).toEqual(policy);
  });

  it('reads JSON as it reads YAML', () => {
    expect(errorsOf('{"version": 1, "rules": [{"host": "a.com", "ports": [443]}]}')).toEqual([]);
    expect(errorsOf('{"version": 1, "rules": [{"host": "a..com"}]}')).toEqual([[1, 38, '']]);
  });

  it.each([
    ['', [[1, 1, '']]],
    ['# nothing\n', [[1, 1, '']]],
    ['rules: []\n', [[1, 10, '']]],
    ['version: 2\n', [[1, 10, '2']]],
    ['version: 1\ndefaultAction: deny\n', [[2, 1, 'defaultAction']]],
    ['version: 1\nnope: 1\n', [[2, 1, 'nope']]],
    ['version: 1\nrules:\n- host: a.com\n  ports: []\n', [[4, 10, '[]']]],
    ['version: 1\nrules:\n- host: a.com:443\n', [[3, 14, ':443']]],
    ['version: 1\nrules:\n- host: "x.api-*.com"\n', [[3, 12, 'api-*']]],
    ['version: 1\nrules:\n- host: "x.\\x61pi-*.com"\n', [[3, 9, 'api-*']]],
    ['version: 1\nrules:\n- cidr: a.com\n', [[3, 9, 'a.com']]],
    ['version: 1\nrules:\n- { host: a.com, ports: 0443 }\n', [[3, 25, '0443']]],
    ['version: 1\nrules:\n- { host: a.com, ports: 443/tcq }\n', [[3, 29, 'tcq']]],
    ['version: 1\nrules:\n- { host: a.com, steps: [build] }\n', [[3, 18, 'steps']]],
    ['version: 1\nrules:\n- { action: allow }\n', [[3, 20, '']]],
    ['version: 1\nrules:\n- { host: "*.com" }\n', [[3, 12, '*.com']]],
    ['version: 1\nsudo-lockdown: { allow-commands: [/bin/sh] }\n', [[2, 35, '/bin/sh']]],
    ['version: 1\nsearch-domains: [com]\n', [[2, 18, 'com']]],
  ])('says where %j is wrong', (text, expected) => expect(errorsOf(text)).toEqual(expected));

  it('refuses duplicate keys, broken syntax and other bytes', () => {
    expect(errorsOf('version: 1\nversion: 1\n')).toHaveLength(1);
    expect(errorsOf('version: [1\n')).not.toEqual([]);
    const bytes = parsePolicyText(Uint8Array.of(0xff, 0xfe), 'p.yml');
    expect(bytes.problems).toHaveLength(1);
  });

  it('allows broad rules in a file that says so', () => {
    expect(errorsOf('version: 1\nallow-broad: true\nrules: [{ host: "**" }]\n')).toEqual([]);
  });

  it('reports all errors of inputs and file together, in order', () => {
    const result = fromFile('version: 1\nrules: [{ host: a..b }]\n', {
      allowedHosts: 'x:0',
      blockedCidrs: 'a.com',
    });
    const errors = 'errors' in result ? result.errors.map(renderProblem) : [];
    expect(errors.map((text) => text.split(':')[0])).toEqual([
      'input allowed-hosts line 1 column 3',
      'input blocked-cidrs line 1 column 1',
      'p.yml line 2 column 19',
    ]);
  });

  it('warns when a target is allowed and denied on the same port, and only then', () => {
    expect(
      built({ allowedHosts: 'a.com:443', blockedHosts: 'a.com:443;22' }).warnings,
    ).toHaveLength(1);
    expect(built({ allowedHosts: 'a.com:443', blockedHosts: 'a.com:22' }).warnings).toHaveLength(0);
  });
});

describe('auto-allowed rules', () => {
  it('turns a list off with none, keeps runner hosts and addresses', () => {
    const rules = aPolicy({}).rules;
    expect(rules.filter((rule) => rule.target.kind === 'prefix').map((rule) => rule.text)).toEqual([
      '169.254.169.254',
      '0.0.0.0/0',
      '::/0',
      '168.63.129.16',
    ]);
    expect(
      rules.filter((rule) => rule.target.kind === 'name').every((rule) => rule.runnerHost),
    ).toBe(true);
    expect(rules.filter((rule) => rule.text.endsWith('blob.core.windows.net'))).toHaveLength(20);
  });

  it('takes none as a word of its own alone: beside hosts it is an error; without entries the defaults stand', () => {
    const hostsOf = (githubServiceHosts: string) =>
      aPolicy({ githubServiceHosts })
        .rules.filter((rule) => rule.autoAllowedType === 'github_service' && !rule.runnerHost)
        .map(({ text }) => text);
    expect(hostsOf('None  # no step needs GitHub')).toEqual([]);
    expect(hostsOf('# later')).toEqual(hostsOf(''));
    const mixed = { ...INPUTS, githubServiceHosts: 'ghe.example.com\n none' };
    const result = buildPolicy(mixed, undefined, { serverUrl: '', actionsUrls: [] });
    expect('errors' in result && result.errors.map(renderProblem)).toEqual([
      'input github-service-hosts line 2 column 2: found "none", expected hosts, or "none" alone: it turns the whole list off',
    ]);
  });

  it('puts entries of the input on 443/tcp unless they name ports', () => {
    const rules = aPolicy({ githubServiceHosts: 'ghe.example.com, other.example.com:8443' }).rules;
    const own = rules.filter(
      (rule) => rule.autoAllowedType === 'github_service' && rule.runnerHost === undefined,
    );
    expect(own.map(({ text, ports }) => [text, ports])).toEqual([
      ['ghe.example.com', [{ port: 443, protocol: 'tcp' }]],
      ['other.example.com', [{ port: 8443, protocol: 'both' }]],
    ]);
  });

  it('takes no address there: steps would not reach it', () => {
    const result = buildPolicy(
      { ...INPUTS, azureInfraHosts: 'a.example.com, 192.0.2.1' },
      undefined,
      {
        serverUrl: '',
        actionsUrls: [],
      },
    );
    expect('errors' in result && result.errors.map(renderProblem)).toEqual([
      'input azure-infra-hosts line 1 column 16: found "192.0.2.1", expected a host; an address that steps reach goes in allowed-cidrs',
    ]);
  });

  it('takes hosts of service addresses at or below GitHub, leaves out others with a warning', () => {
    const result = buildPolicy(INPUTS, undefined, {
      serverUrl: 'https://ghe.example.com',
      actionsUrls: [
        { name: 'ACTIONS_RUNTIME_URL', url: 'https://pipelines.actions.githubusercontent.com/x/' },
        { name: 'ACTIONS_RESULTS_URL', url: 'https://results.ghe.example.com:8443/' },
        { name: 'ACTIONS_CACHE_URL', url: 'https://evil.example/' },
        { name: 'ACTIONS_ID_TOKEN_REQUEST_URL', url: 'https://xactions.githubusercontent.com/' },
      ],
    });
    if ('errors' in result) throw new Error('errors');
    const own = result.policy.rules.filter(
      (rule) => rule.target.kind === 'name' && rule.runnerHost === undefined,
    );
    expect(own.map(({ text, ports }) => [text, ports?.[0]?.port])).toEqual([
      ['=pipelines.actions.githubusercontent.com', 443],
      ['=results.ghe.example.com', 8443],
    ]);
    expect(result.warnings.map((warning) => warning.source)).toEqual([
      'environment ACTIONS_CACHE_URL',
      'environment ACTIONS_ID_TOKEN_REQUEST_URL',
    ]);
  });
});
