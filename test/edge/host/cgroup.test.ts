import { describe, expect, test } from 'vitest';
import { cgroupMount, chooseCgroup } from '../../../src/edge/host/cgroup.ts';

test('the mount of cgroup2 is found among others', () => {
  const mounts =
    'cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw\n';
  expect(cgroupMount(mounts)).toBe('/sys/fs/cgroup/unified');
  expect(cgroupMount('')).toBeUndefined();
});

describe('the input cgroup', () => {
  test('auto is the whole machine on hosted runners, elsewhere it asks', () => {
    expect(chooseCgroup('auto', true, '/c')).toEqual({ choice: { path: '/c', root: true } });
    expect(chooseCgroup('auto', false, '/c')).toHaveProperty('error');
  });

  test('root is the whole machine anywhere', () => {
    expect(chooseCgroup('root', false, '/c')).toEqual({ choice: { path: '/c', root: true } });
  });

  test('a path in cgroup2 is taken', () => {
    const mount = cgroupMount() ?? '(none)';
    expect(chooseCgroup(mount, false, mount)).toEqual({ choice: { path: mount, root: false } });
  });

  test.each([
    ['build', 'expected auto, root or an absolute path'],
    ['/nowhere', '/nowhere is no directory'],
    ['/etc/passwd', '/etc/passwd is no directory'],
    ['/', '/ is not in cgroup2. Name a directory below /c'],
  ])('%s is an error with its remedy', (input, text) => {
    const chosen = chooseCgroup(input, false, '/c');
    expect('error' in chosen && chosen.error).toContain(text);
  });
});
