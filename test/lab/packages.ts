// A package of each kind, put where a host's site serves it: for npm, pip, git and apt.
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const quiet: ExecFileSyncOptions = { stdio: ['ignore', 'pipe', 'inherit'] };

function sum(algorithm: string, path: string): string {
  return createHash(algorithm).update(readFileSync(path)).digest('hex');
}

function publishNpm(site: string, base: string, folder: string): void {
  const root = join(folder, 'package');
  mkdirSync(root);
  writeFileSync(join(root, 'package.json'), '{"name":"demo","version":"1.0.0"}\n');
  mkdirSync(join(site, 'npm/-'), { recursive: true });
  const tarball = join(site, 'npm/-/demo-1.0.0.tgz');
  execFileSync('tar', ['-czf', tarball, '-C', folder, 'package'], quiet);
  const dist = { tarball: `${base}/npm/-/demo-1.0.0.tgz`, shasum: sum('sha1', tarball) };
  const version = { name: 'demo', version: '1.0.0', dist };
  const packument = {
    name: 'demo',
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': version },
  };
  writeFileSync(join(site, 'npm/demo'), JSON.stringify(packument));
}

const WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr('demo.py', 'hello = 1\\n')
    z.writestr('demo-1.0.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0.0\\n')
    z.writestr('demo-1.0.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('demo-1.0.0.dist-info/RECORD', '')
`;

function publishPip(site: string): void {
  const folder = join(site, 'pypi/simple/demo');
  mkdirSync(folder, { recursive: true });
  const wheel = 'demo-1.0.0-py3-none-any.whl';
  execFileSync('/usr/bin/python3', ['-c', WHEEL, join(folder, wheel)], quiet);
  const link = `<a href="${wheel}">${wheel}</a>`;
  writeFileSync(join(folder, 'index.html'), `<!DOCTYPE html><html><body>${link}</body></html>\n`);
}

function publishGit(site: string, folder: string): void {
  const work = join(folder, 'repository');
  const bare = join(site, 'git/demo.git');
  const git = (...words: string[]) =>
    execFileSync('git', words, {
      ...quiet,
      env: {
        PATH: '/usr/bin:/bin',
        HOME: folder,
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@example.com',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@example.com',
      },
    });
  git('init', '-q', '-b', 'main', work);
  writeFileSync(join(work, 'hello'), 'hello\n');
  git('-C', work, 'add', '.');
  git('-C', work, 'commit', '-q', '-m', 'hello');
  git('clone', '-q', '--bare', work, bare);
  git('-C', bare, 'update-server-info');
}

function publishApt(site: string, folder: string): void {
  const root = join(folder, 'deb');
  mkdirSync(join(root, 'DEBIAN'), { recursive: true });
  const control =
    'Package: demo\nVersion: 1.0.0\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: demo\n';
  writeFileSync(join(root, 'DEBIAN/control'), control);
  mkdirSync(join(site, 'debian'));
  const path = join(site, 'debian/demo.deb');
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', root, path], quiet);
  const size = readFileSync(path).length;
  const entry = `${control}Filename: ./demo.deb\nSize: ${size}\nSHA256: ${sum('sha256', path)}\n\n`;
  writeFileSync(join(site, 'debian/Packages'), entry);
}

/** Publishes `demo` 1.0.0 for every tool below a site's root; `base` is the site's URL. */
export function publishPackages(site: string, base: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-packages-'));
  try {
    publishNpm(site, base, folder);
    publishPip(site);
    publishGit(site, folder);
    publishApt(site, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
