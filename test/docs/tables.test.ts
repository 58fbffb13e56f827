// Rows of the docs' tables and the tests of their names: neither is without the other.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deciderName } from '../../src/core/audit/attribute.ts';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { encodeRecord } from '../../src/core/audit/jsonl.ts';
import { LOSSES } from '../../src/core/audit/losses.ts';
import { DECIDED_BY } from '../../src/core/flow/layout.gen.ts';
import { parseAddress } from '../../src/core/net/address.ts';
import { buildPolicy } from '../../src/core/policy/build-policy.ts';
import { describeAutoAllowed } from '../../src/core/policy/describe-auto-allowed.ts';
import { explain } from '../../src/core/policy/explain.ts';
import { renderProblem } from '../../src/core/policy/problem.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** The inputs of an empty policy. */
const NOTHING = {
  allowedHosts: '',
  blockedHosts: '',
  allowedCidrs: '',
  blockedCidrs: '',
  expectedBlocks: '',
  sudoLockdown: false,
  sudoAllowCommands: '',
  searchDomains: '',
  githubServiceHosts: '',
  azureInfraHosts: '',
} as const;

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

describe('docs/audit-log.md', () => {
  const text = read('docs/audit-log.md');

  /** Every name of a field in a JSON Schema. */
  function fieldsOf(schema: unknown): readonly string[] {
    if (typeof schema !== 'object' || schema === null) return [];
    const own = 'properties' in schema ? Object.keys(schema.properties ?? {}) : [];
    return [...own, ...Object.values(schema).flatMap(fieldsOf)];
  }

  test('has every field of the schema', () => {
    const fields = new Set(fieldsOf(JSON.parse(read('docs/audit.schema.json'))));
    expect(fields.size).toBeGreaterThan(40);
    const missing = [...fields].filter((name) => !new RegExp(`[\`.]${name}[\`[]`, 'u').test(text));
    expect(missing).toEqual([]);
  });

  test('has the order in which a line is written', () => {
    const [, said = ''] = /^First come, in this order, ([^;]*);/mu.exec(text) ?? [];
    const names = said.match(/\w+/gu) ?? [];
    const event: AuditEvent = {
      ...{ blocked: true, would_deny: false, auto_allowed_type: 'dns', matched_rule: 'a', pid: 1 },
      ...{ process: 'curl', protocol: 'TCP', dst_port: 1, dst_hostname: 'a', dst_ip: '192.0.2.1' },
      ...{ src_ip: '192.0.2.2', event_type: 'connection_blocked', timestamp: 'now' },
    };
    expect(Object.keys(JSON.parse(encodeRecord(event)))).toEqual(names);
  });

  test('says what can decide', () => {
    const words = rows('docs/audit-log.md', '| `decided_by` | what |').flatMap(([cell = '']) =>
      cell.split(' '),
    );
    const known = Object.values(DECIDED_BY).map(deciderName);
    expect(words.toSorted()).toEqual(known.toSorted());
  });
});

test('docs/troubleshooting.md shows messages that are said', () => {
  const said = ['src', 'bpf']
    .flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(?:ts|c)$/u.test(name))
        .map((name) => read(`${folder}/${name}`)),
    )
    .join('\n');
  const messages = ['| message | what to do |', '| message of post | what to do |']
    .flatMap((head) => rows('docs/troubleshooting.md', head))
    .flatMap(([message = '']) => message.split('…'));
  const parts = messages.map((part) => part.trim()).filter((part) => part !== '');
  expect(parts.filter((part) => !said.includes(part))).toEqual([]);
});

test('docs/policy.md says what is auto-allowed', () => {
  const built = buildPolicy(NOTHING, undefined, { actionsUrls: [], serverUrl: '' });
  if ('errors' in built) throw new Error(built.errors.map(renderProblem).join());
  const accounts = /(=\S+sa0\.blob\S+) .* (=\S+sa19\.blob\S+)$/u;
  const [dns = [], ...others] = rows('docs/policy.md', '| type | for | what |');
  expect(dns.slice(0, 2)).toEqual(['dns', 'the daemon']);
  expect(others).toEqual(
    describeAutoAllowed(built.policy, [])
      .slice(1)
      .map(({ type, whose, targets }) => [
        type,
        whose,
        targets.join(' ').replace(accounts, '$1 … $2'),
      ]),
  );
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
        ...NOTHING,
        allowedHosts: of('allow'),
        blockedHosts: of('deny'),
        searchDomains: of('search'),
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
