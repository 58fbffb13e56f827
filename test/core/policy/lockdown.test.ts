import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT_SOCKETS, tryLockdown } from '../../../src/action/prove-lockdown.ts';
import { parseLockdownCommand } from '../../../src/core/policy/lockdown.ts';

const attempt = (text: string) => () => parseLockdownCommand(text);

describe('sudo-allow-commands', () => {
  test.each(['/usr/bin/id', '/opt/tools/deploy_key-1.2+x'])('%s is taken', (text) => {
    expect(parseLockdownCommand(text)).toEqual({ path: text, notes: [] });
  });

  test.each(['/usr/bin/apt-get', '/usr/bin/dpkg', '/usr/local/bin/npm'])(
    '%s is taken with a warning: it runs scripts as root',
    (text) => {
      expect(parseLockdownCommand(text).notes[0]?.message).toContain('as root');
    },
  );

  test.each([
    '/usr/bin/docker',
    '/bin/tar',
    '/usr/bin/find',
    '/usr/bin/env',
    '/bin/bash',
    '/usr/bin/python3.11',
    '/usr/bin/vim',
    '/usr/bin/tee',
    '/usr/bin/systemctl',
    '/usr/bin/curl',
    '/usr/bin/sort',
    '/usr/sbin/sysctl',
    '/usr/sbin/service',
  ])('%s equals root: an error with the reason', (text) =>
    expect(attempt(text)).toThrow('does not equal root'),
  );

  test.each([
    ['id', 'an absolute path'],
    ['/usr/bin/id -u', 'arguments can not be told apart'],
    ['/usr/bin/*', 'a plain path'],
    ['/usr/bin/id,ALL', 'a plain path'],
    ['/usr/bin/../bin/id', 'a plain path'],
    ['/usr/bin/', 'a plain path'],
    ['/usr/bin/a\\ b', 'arguments can not be told apart'],
  ])('%s is an error: %s', (text, expected) => expect(attempt(text)).toThrow(expected));
});

describe('the proof of a lockdown', () => {
  const closed = {
    sudo: (_path: string) => Promise.resolve('refused'),
    sudoMay: (_path: string) => Promise.resolve('allowed'),
    becomeRoot: (_words: readonly string[]) => Promise.resolve('not there'),
    connectSocket: (_path: string) => Promise.resolve('EACCES'),
  };
  const wrong = async (changed: Partial<typeof closed>) => {
    const tried = await tryLockdown(['/usr/bin/true'], { ...closed, ...changed });
    return tried.filter(({ outcome, expected }) => outcome !== expected).map(({ what }) => what);
  };

  test('holds when sudo is refused but for what is allowed, and no socket answers', async () => {
    expect(await wrong({})).toEqual([]);
  });

  test('fails when another program gives root', async () => {
    const becomeRoot = ([program]: readonly string[]) =>
      Promise.resolve(program === '/usr/bin/doas' ? 'ran' : 'refused');
    expect(await wrong({ becomeRoot })).toEqual(['/usr/bin/doas']);
  });

  test('fails when sudo runs what is not allowed', async () => {
    expect(await wrong({ sudo: () => Promise.resolve('ran') })).toEqual([
      'sudo /usr/bin/id',
      'sudo /run/cargowall/bin/loader unlock',
    ]);
  });

  test('fails when an allowed command is not', async () => {
    const sudoMay = () => Promise.resolve('refused');
    expect(await wrong({ sudoMay })).toEqual(['sudo may run /usr/bin/true']);
  });

  test('fails when a socket that equals root can be connected to', async () => {
    const connectSocket = (path: string) =>
      Promise.resolve(path === '/run/docker.sock' ? 'connected' : 'ENOENT');
    expect(await wrong({ connectSocket })).toEqual(['connect to /run/docker.sock']);
  });

  test('tries the sockets that the loader closes', () => {
    const code = readFileSync('bpf/loader/lockdown.c', 'utf8');
    const [, list = ''] = /root_sockets\[\] = \{([^}]*)\}/u.exec(code) ?? [];
    expect([...list.matchAll(/"([^"]+)"/gu)].map(([, path]) => path)).toEqual(ROOT_SOCKETS);
  });
});
