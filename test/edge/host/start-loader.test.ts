import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLoader } from '../../../src/edge/host/start-loader.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cargowall-loader-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A loader played by a shell script; without one there is no such file. */
function loaderOf(script: string | undefined) {
  const loader = join(folder, 'loader');
  if (script !== undefined) {
    writeFileSync(loader, `#!/bin/sh\n${script}\n`);
    chmodSync(loader, 0o755);
  }
  return startLoader({
    loader,
    object: '/o',
    daemon: '/d',
    node: '/n',
    cgroup: '/c',
    root: true,
    uid: 1001,
    worker: 77,
    keep: false,
    lockdown: undefined,
  });
}

async function linesOf(lines: AsyncIterable<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test('it is given its words, an environment of its own, and what is written to it', async () => {
  const loader = loaderOf('echo "$@"; env | sort; cat; echo oh >&2; exit 6');
  loader.write('{"session":1}');
  loader.end();
  const [words, ...rest] = await linesOf(loader.lines);
  expect(words).toBe(
    'start --cgroup /c --root --uid 1001 --worker 77 --node /n --daemon /d --object /o',
  );
  const shells = ['PWD=/', 'OLDPWD=/', '_=/usr/bin/env', 'SHLVL=1'];
  expect(rest.filter((line) => !shells.includes(line))).toEqual([
    'LC_ALL=C',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    '{"session":1}',
  ]);
  expect(await loader.ended).toEqual({ code: 6, errorText: 'oh' });
});

test('one that is not there says why', async () => {
  const loader = loaderOf(undefined);
  const { code, errorText } = await loader.ended;
  expect(code).toBe(-1);
  expect(errorText).toContain('ENOENT');
});

test('a line to one that has ended is no crash', async () => {
  const loader = loaderOf('exit 3');
  expect(await loader.ended).toEqual({ code: 3, errorText: '' });
  loader.write('late');
  loader.end();
});
