// Every policy the docs show is one the parser takes, and every command says what they show.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { parseList } from '../../src/core/policy/parse-list.ts';
import { parsePolicyFile } from '../../src/core/policy/parse-policy.ts';
import { renderProblem } from '../../src/core/policy/problem.ts';
import { parsePolicyText } from '../../src/edge/host/policy-file.ts';

const FOLDER = new URL('../../docs/', import.meta.url);

function blocks(language: string): readonly (readonly [string, string])[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gmu');
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => {
      const text = readFileSync(new URL(name, FOLDER), 'utf8');
      return [...text.matchAll(fence)].map(
        (match, index) => [`${name}, ${index + 1}`, match[1] ?? ''] as const,
      );
    });
}

describe('a policy file in the docs', () => {
  const policies = ['yaml', 'json']
    .flatMap(blocks)
    .filter(([, text]) => /^ *"?(version|defaultAction|rules)"?:/mu.test(text));
  test('there are some', () => expect(policies.length).toBeGreaterThan(2));

  test.each(policies)('%s', (_name, text) => {
    const document = parsePolicyText(new TextEncoder().encode(text), 'policy.yml');
    const { errors, warnings } = parsePolicyFile(document);
    expect([...errors, ...warnings].map(renderProblem)).toEqual([]);
  });
});

describe('a list of entries in the docs', () => {
  const lists = blocks('text').filter(([, text]) => !text.startsWith('$'));
  test('there are some', () => expect(lists.length).toBeGreaterThan(1));

  test.each(lists)('%s', (_name, text) => {
    const kind = { action: 'allow', takes: 'any', allowBroad: false } as const;
    const { errors, warnings } = parseList(text, 'input allowed-hosts', kind);
    expect([...errors, ...warnings].map(renderProblem)).toEqual([]);
  });
});

test('the commands of docs/policy.md, on its policy file', () => {
  const text = readFileSync(new URL('policy.md', FOLDER), 'utf8');
  const [, policy = ''] = /^A whole file:\n\n```yaml\n([\s\S]*?)^```$/mu.exec(text) ?? [];
  const [, shown = ''] = /^```\n(\$ cargowall [\s\S]*?)^```$/mu.exec(text) ?? [];
  const commands = shown.split(/^\$ cargowall /mu).filter((part) => part !== '');
  expect(commands.length).toBeGreaterThan(1);
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-docs-'));
  writeFileSync(join(folder, 'policy.yml'), policy);
  const cli = new URL('../../src/cli.ts', import.meta.url).pathname;
  for (const command of commands) {
    const [line = '', ...said] = command.split('\n');
    const run = spawnSync(process.execPath, [cli, ...line.split(' ')], { cwd: folder });
    expect(`${line}\n${run.stdout}`).toBe(`${line}\n${said.join('\n')}`);
  }
  rmSync(folder, { recursive: true });
});
