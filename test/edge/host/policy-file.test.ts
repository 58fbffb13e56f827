import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_POLICY_BYTES } from '../../../src/edge/host/policy-bytes.ts';
import { parsePolicyText, readPolicyFile } from '../../../src/edge/host/policy-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cargowall-policy-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('readPolicyFile', () => {
  it('reads a file with its places and digest', async () => {
    const path = join(folder, 'p.yml');
    writeFileSync(path, 'version: 1\n');
    const document = await readPolicyFile(path);
    expect(document.sha256).toBe(
      '09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847',
    );
    expect(document.root).toMatchObject({
      kind: 'map',
      entries: [{ key: 'version', keyStart: { line: 1, column: 1 } }],
    });
  });

  it('refuses what is missing, a link, a directory, a FIFO and a large file, each by name', async () => {
    const path = (name: string) => join(folder, name);
    symlinkSync(path('p.yml'), path('link'));
    execFileSync('mkfifo', [path('fifo')]);
    writeFileSync(path('large'), ' '.repeat(MAX_POLICY_BYTES + 1));
    await expect(readPolicyFile(path('missing'))).rejects.toThrow('does not exist');
    await expect(readPolicyFile(path('link'))).rejects.toThrow('symbolic link');
    await expect(readPolicyFile(folder)).rejects.toThrow('not a regular file');
    await expect(readPolicyFile(path('fifo'))).rejects.toThrow('not a regular file');
    await expect(readPolicyFile(path('large'))).rejects.toThrow('larger than');
    // Its first page is nobody's: what is there can't be read.
    await expect(readPolicyFile('/proc/self/mem')).rejects.toThrow(
      'policy file /proc/self/mem: can not be read (EIO)',
    );
  });

  it('stops at an alias that grows without end', async () => {
    const path = join(folder, 'bomb.yml');
    const lines = [
      'a0: &a0 [x, x]',
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ];
    writeFileSync(path, lines.join('\n'));
    const { problems } = await readPolicyFile(path);
    expect(problems).toHaveLength(1);
  });

  const problems = (text: string) => {
    const { problems: all } = parsePolicyText(new TextEncoder().encode(text), 'p.yml');
    return all.map(({ line, column, found, expected }) => [line, column, found, expected]);
  };

  // Compared pair by pair so many keys take minutes: the suite's time limit is what holds this.
  it('finds the one key that stands twice among tens of thousands', () => {
    const keys = Array.from({ length: 40_000 }, (_, index) => `k${index}: 1`);
    keys.push('"\\x6b7": 2', '"k8": 3');
    expect(problems(keys.join('\n'))).toEqual([
      [40_001, 1, 'k7', 'each key of a map once'],
      [40_002, 2, 'k8', 'each key of a map once'],
    ]);
  });

  it('knows what each of many aliases stands for', () => {
    const items = Array.from({ length: 5_000 }, (_, index) => `- &a b${index}\n- *a\n`);
    const { root } = parsePolicyText(new TextEncoder().encode(items.join('')), 'p.yml');
    const texts =
      root?.kind === 'list' ? root.items.map((item) => 'text' in item && item.text) : [];
    expect(texts).toEqual(items.flatMap((_, index) => [`b${index}`, `b${index}`]));
    expect(problems(`[${'*a,'.repeat(20_000)}]`)).toHaveLength(20_000);
  });

  it.each([
    ['[', '['.repeat(500_000)],
    ['{a: ', '{a: '.repeat(200_000)],
    ['- ', '- '.repeat(400_000)],
    ['? ', '? '.repeat(400_000)],
  ])('says of a file of nothing but %j that it is too deep, once', (_what, text) => {
    expect(problems(text)).toEqual([[1, expect.any(Number), '', 'a file of at most 32 levels']]);
  });

  it('says of a file with too many values that it has too many, wherever they come from', () => {
    const expected = 'a file of at most 100000 values, those behind an alias counted each time';
    const flat = `version: 1\nrules:\n${'- 443\n'.repeat(100_000)}`;
    expect(problems(flat)).toEqual([[100_000, 3, '', expected]]);
    const aliases = `- &a [${'x,'.repeat(1_000)}]\n${'- *a\n'.repeat(1_000)}`;
    expect(problems(aliases)).toEqual([[1, expect.any(Number), '', expected]]);
  });
});
