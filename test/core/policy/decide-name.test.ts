import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideName } from '../../../src/core/policy/decide-name.ts';
import type { Policy } from '../../../src/core/policy/policy.ts';
import { aPolicy } from './policies.ts';

function verdict(policy: Policy, name: string, port = 443, runner = false) {
  const { verdict: said, rule } = decideName(policy, name, { runner }).byPair('tcp', port);
  return `${said} ${rule?.text ?? 'default'}`;
}

describe('decideName', () => {
  it.each([
    ['apex of a plain name', 'example.com', '', 'example.com', 'allow example.com'],
    ['below a plain name', 'example.com', '', 'a.b.example.com', 'allow example.com'],
    ['not a longer label', 'example.com', '', 'notexample.com', 'deny default'],
    ['only the apex', '=example.com', '', 'a.example.com', 'deny default'],
    ['one label', '*.example.com', '', 'a.b.example.com', 'deny default'],
    ['one or more', '**.example.com', '', 'a.b.example.com', 'allow **.example.com'],
    ['not the apex of a pattern', '**.example.com', '', 'example.com', 'deny default'],
    [
      'more literal labels',
      'a.example.com',
      'example.com',
      'x.a.example.com',
      'allow a.example.com',
    ],
    ['exact before plain', '=example.com', 'example.com', 'example.com', 'allow =example.com'],
    [
      'equal before pattern',
      'a.example.com',
      '*.a.example.com',
      'a.example.com',
      'allow a.example.com',
    ],
    [
      'pattern before parent',
      '*.example.com',
      'example.com',
      'a.example.com',
      'allow *.example.com',
    ],
    ['one before many', '*.example.com', '**.example.com', 'a.example.com', 'allow *.example.com'],
    [
      'more labels of a pattern',
      '*.*.example.com',
      'example.com',
      'a.b.example.com',
      'allow *.*.example.com',
    ],
    ['deny of two alike', 'example.com', 'example.com', 'example.com', 'deny example.com'],
    [
      'a narrow deny hides no wider allow',
      'example.com',
      '=example.com:22',
      'example.com',
      'allow example.com',
    ],
  ])('%s', (_, allowedHosts, blockedHosts, name, expected) => {
    expect(verdict(aPolicy({ allowedHosts, blockedHosts }), name)).toBe(expected);
  });

  it('leaves auto-allowed hosts where no user rule covers the pair', () => {
    const narrow = aPolicy({ allowedHosts: 'github.com:22', githubServiceHosts: '' });
    expect(verdict(narrow, 'github.com', 443)).toBe('allow =github.com');
    expect(verdict(narrow, 'github.com', 22)).toBe('allow github.com');
    const blocked = aPolicy({ blockedHosts: 'github.com', githubServiceHosts: '' });
    expect(verdict(blocked, 'api.github.com')).toBe('deny github.com');
  });

  it('serves runner hosts to the runner before all rules and to nobody else', () => {
    const policy = aPolicy({ blockedHosts: 'github.com' });
    expect(verdict(policy, 'github.com', 443, true)).toBe('allow =github.com');
    expect(verdict(policy, 'github.com', 22, true)).toBe('deny github.com');
    expect(verdict(aPolicy({}), 'broker.actions.githubusercontent.com')).toBe('deny default');
  });

  it('never allows ICMP by a rule without ports, and denies it by one', () => {
    const icmp = (policy: Policy) =>
      decideName(policy, 'a.com', { runner: false }).byPair('icmp', 0);
    expect(icmp(aPolicy({ allowedHosts: 'a.com' })).rule).toBeNull();
    expect(icmp(aPolicy({ blockedHosts: 'a.com' }, 'allow')).verdict).toBe('deny');
  });

  it('matches without the longest search domain and the Kubernetes suffixes, in one contest', () => {
    const policy = aPolicy({
      allowedHosts: 'db.prod.svc, api.example.com',
      blockedHosts: '=api.example.com.corp.internal',
      searchDomains: '.corp.internal, .eu.corp.internal',
    });
    expect(verdict(policy, 'api.example.com.eu.corp.internal')).toBe('allow api.example.com');
    expect(verdict(policy, 'api.example.com.corp.internal')).toBe(
      'deny =api.example.com.corp.internal',
    );
    expect(verdict(policy, 'db.prod.svc.cluster.local')).toBe('allow db.prod.svc');
    expect(verdict(policy, 'api.example.com.prod.svc.cluster.local')).toBe('allow api.example.com');
  });
});

const hosts = fc.constantFrom(
  'example.com',
  '=example.com',
  'a.example.com',
  '*.example.com',
  '**.example.com',
  '*.a.example.com',
  '*.*.example.com',
);
const entry = fc
  .tuple(hosts, fc.constantFrom('', ':443', ':22', ':443/udp', ':22;443'))
  .map((parts) => parts.join(''));
const list = fc.array(entry, { maxLength: 5 });
const asked = fc.constantFrom(
  'example.com',
  'a.example.com',
  'b.a.example.com',
  'c.b.a.example.com',
  'other.test',
);
const port = fc.constantFrom(22, 443, 8080);
const fallback = fc.constantFrom('allow' as const, 'deny' as const);

function allows(
  allowed: readonly string[],
  blocked: readonly string[],
  name: string,
  at: number,
  otherwise: Policy['default'],
) {
  const policy = aPolicy(
    { allowedHosts: allowed.join('\n'), blockedHosts: blocked.join('\n') },
    otherwise,
  );
  return decideName(policy, name, { runner: false }).byPair('tcp', at).verdict === 'allow';
}

describe('decideName, always', () => {
  it('does not depend on the order of rules', () => {
    fc.assert(
      fc.property(list, list, asked, port, (allowed, blocked, name, at) => {
        const policy = aPolicy({
          allowedHosts: allowed.join('\n'),
          blockedHosts: blocked.join('\n'),
        });
        const turned = { ...policy, rules: policy.rules.toReversed() };
        expect(verdict(turned, name, at)).toBe(verdict(policy, name, at));
      }),
    );
  });

  it('is never opened by one more deny nor closed by one more allow', () => {
    fc.assert(
      fc.property(
        list,
        list,
        entry,
        asked,
        port,
        fallback,
        (allowed, blocked, more, name, at, otherwise) => {
          const before = allows(allowed, blocked, name, at, otherwise);
          const denied = allows(allowed, [...blocked, more], name, at, otherwise);
          const opened = allows([...allowed, more], blocked, name, at, otherwise);
          expect(denied && !before).toBe(false);
          expect(before && !opened).toBe(false);
        },
      ),
    );
  });

  it('lets a narrower rule for one port leave every other port alone', () => {
    fc.assert(
      fc.property(list, list, hosts, asked, (allowed, blocked, narrow, name) => {
        const before = allows(allowed, blocked, name, 8080, 'deny');
        expect(allows([...allowed, `${narrow}:443`], blocked, name, 8080, 'deny')).toBe(before);
        expect(allows(allowed, [...blocked, `${narrow}:443`], name, 8080, 'deny')).toBe(before);
      }),
    );
  });

  it('decides each pair in exactly one of allow, deny and rest, as byPair says', () => {
    fc.assert(
      fc.property(list, list, asked, port, (allowed, blocked, name, at) => {
        const policy = aPolicy({
          allowedHosts: allowed.join('\n'),
          blockedHosts: blocked.join('\n'),
        });
        const decision = decideName(policy, name, { runner: false });
        const inSet = (set: typeof decision.allow) =>
          set.tcp.ports.includes(at) === (set.tcp.kind === 'some');
        const where = [decision.allow, decision.deny, decision.rest].map(inSet);
        expect(where.filter(Boolean)).toHaveLength(1);
        expect(where[2]).toBe(decision.byPair('tcp', at).rule === null);
      }),
    );
  });
});
