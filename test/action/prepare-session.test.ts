import { expect, test } from 'vitest';
import { prepareSession, type SessionParts } from '../../src/action/prepare-session.ts';

const CONFIG = {
  upstreams: [{ address: '192.0.2.53', port: 53 }],
  resolvers: ['192.0.2.53'],
  localNames: [],
};

function parts(texts: Record<string, string>, changed: Partial<SessionParts> = {}): SessionParts {
  return {
    texts: new Map(Object.entries(texts)),
    mode: 'enforce',
    debug: false,
    document: undefined,
    resolvers: { config: CONFIG },
    actionsUrls: [],
    serverUrl: 'https://github.com',
    nonce: 'n',
    job: { repository: 'o/r', workflow: 'w', job: 'j', runId: '1', runAttempt: '1' },
    ...changed,
  };
}

test('inputs and machine are one session', () => {
  const prepared = prepareSession(parts({ 'allowed-hosts': 'example.com:443' }));
  expect(prepared).toMatchObject({
    kind: 'session',
    warnings: [],
    session: { version: 1, mode: 'enforce', ...CONFIG },
  });
  expect(JSON.stringify(prepared)).toContain('example.com');
});

test('the error of the policy and that of the machine are kept apart', () => {
  const resolvers = { fault: 'machine', errors: ['no resolver'] } as const;
  const prepared = prepareSession(parts({ 'allowed-hosts': 'a..b, *.com' }, { resolvers }));
  expect(prepared).toMatchObject({ kind: 'refused', machineErrors: ['no resolver'] });
  expect('inputErrors' in prepared && prepared.inputErrors).toHaveLength(2);
});

test('a wrong upstream in the input is an error of the input', () => {
  const resolvers = { fault: 'input', errors: ['input dns-upstream'] } as const;
  expect(prepareSession(parts({}, { resolvers }))).toMatchObject({
    kind: 'refused',
    inputErrors: ['input dns-upstream'],
    machineErrors: [],
  });
});

test('a rule that denies the upstream is a warning: it is not policy', () => {
  const prepared = prepareSession(parts({ 'blocked-cidrs': '198.51.100.0/24, 192.0.2.0/24' }));
  expect(prepared).toMatchObject({ kind: 'session' });
  expect(prepared.warnings).toEqual([
    expect.stringMatching(
      /^input blocked-cidrs line 1 column 18: 192\.0\.2\.0\/24 denies the upstream resolver 192\.0\.2\.53/u,
    ),
  ]);
  expect(prepareSession(parts({ 'blocked-cidrs': '192.0.2.0/24:443' })).warnings).toEqual([]);
});
