// Rows of the docs' tables and the tests of their names: neither is without the other.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LOSSES } from '../../src/core/audit/losses.ts';
import { parseAddress } from '../../src/core/net/address.ts';
import { buildPolicy } from '../../src/core/policy/build-policy.ts';
import { explain } from '../../src/core/policy/explain.ts';
import { renderProblem } from '../../src/core/policy/problem.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** The cells of the rows below a head, without code marks. */
function rows(path: string, head: string): readonly (readonly string[])[] {
  const lines = read(path).split('\n');
  const start = lines.indexOf(head);
  if (start < 0) throw new Error(`${path} has no table "${head}"`);
  const own = lines.slice(start + 2);
  const end = own.findIndex((line) => !line.startsWith('|'));
  return own.slice(0, end < 0 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

describe('docs/dns.md', () => {
  const tests = readdirSync(new URL('test/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('docs/'))
    .map((name) => read(`test/${name}`))
    .join('\n');
  /** Titles of tests and of rows of test.each. */
  const isTitle = (title: string) => {
    const quoted = [`'${title}'`, `"${title}"`];
    return quoted.some((text) => tests.includes(text));
  };

  test.each(rows('docs/dns.md', '| case | what happens |'))('%s', (title) => {
    expect(isTitle(title)).toBe(true);
  });
});

test('docs/troubleshooting.md says what each loss means, as the summary does', () => {
  const losses = rows('docs/troubleshooting.md', '| in the log | what it counts |');
  expect(losses).toEqual(Object.entries(LOSSES));
});

describe('docs/policy.md, rules by example', () => {
  const HEAD = '| rules | asked | verdict | why |';
  const examples = rows('docs/policy.md', HEAD).map(
    ([rules = '', asked = '', verdict = '', why = '']) => ({ rules, asked, verdict, why }),
  );

  test.each(examples)('$rules: $asked is $verdict', ({ rules, asked, verdict }) => {
    const of = (action: string) =>
      rules
        .split(', ')
        .flatMap((rule) => (rule.startsWith(`${action} `) ? [rule.slice(action.length + 1)] : []))
        .join('\n');
    const built = buildPolicy(
      {
        allowedHosts: of('allow'),
        blockedHosts: of('deny'),
        allowedCidrs: '',
        blockedCidrs: '',
        expectedBlocks: '',
        sudoLockdown: false,
        sudoAllowCommands: '',
        searchDomains: of('search'),
        githubServiceHosts: '',
        azureInfraHosts: 'none',
      },
      undefined,
      { actionsUrls: [], serverUrl: '' },
    );
    if ('errors' in built) throw new Error(built.errors.map(renderProblem).join());
    const [, host = '', port = '', protocol = 'tcp'] =
      /^\[?(.*?)\]?:(\d+)(?:\/(tcp|udp))?$/u.exec(asked) ?? [];
    const address = parseAddress(host);
    const subject =
      address === undefined
        ? ({ kind: 'host', host } as const)
        : ({ kind: 'address', address } as const);
    const pair = { protocol: protocol === 'udp' ? 'udp' : 'tcp', port: Number(port) } as const;
    const explained = explain(built.policy, subject, pair, {
      isGuarded: () => false,
      localAddresses: () => undefined,
    });
    expect('verdict' in explained && explained.verdict).toBe(verdict);
  });
});
