import { describe, expect, test } from 'vitest';
import { type ProbedMachine, probeCapabilities } from '../../../src/edge/kernel/support.ts';

const MACHINE: ProbedMachine = {
  platform: 'linux',
  arch: 'x64',
  release: '6.1.0-50',
  readText: () => 'lockdown,capability,bpf\n',
  exists: () => true,
  readLink: (path) =>
    ({
      '/proc/self/ns/pid': 'pid:[4026531836]',
      '/proc/self/ns/ipc': 'ipc:[4026531839]',
      '/proc/self/ns/cgroup': 'cgroup:[4026531835]',
    })[path] ?? '',
};

function missing(changed: Partial<ProbedMachine>, mount: string | null = '/c', root = 'by sudo') {
  const machine = { ...MACHINE, ...changed };
  return probeCapabilities(mount ?? undefined, root, machine).filter(({ remedy }) => remedy !== '');
}

test('a machine that has all is missing nothing', () => {
  expect(missing({})).toEqual([]);
});

describe.each(['darwin', 'win32'])('%s', (platform) => {
  test('is told to use Linux, and nothing else is looked at', () => {
    const readLink = () => {
      throw new Error('no /proc');
    };
    expect(missing({ platform, readLink }, null)).toEqual([
      { name: 'system', found: platform, remedy: 'use a Linux runner' },
    ]);
  });
});

test.each(['pid', 'ipc', 'cgroup'])('an own %s namespace is a container', (kind) => {
  const readLink = (path: string) =>
    path.endsWith(kind) ? `${kind}:[4026532999]` : MACHINE.readLink(path);
  const [found] = missing({ readLink });
  expect(found).toMatchObject({
    name: 'container job or slim image',
    found: `yes (own namespaces: ${kind})`,
  });
  expect(found?.remedy).toContain('remove "container:"');
  expect(found?.remedy).toContain('slim');
});

test('everything missing is named with its remedy', () => {
  const names = missing({ arch: 'ia32', exists: () => false }, null, 'no /usr/bin/sudo');
  expect(names.map(({ name }) => name)).toEqual([
    'processor',
    'kernel types (BTF)',
    'cgroup2',
    'root',
  ]);
});

test('the report names everything that is looked at, in the order people look for it', () => {
  const lines = probeCapabilities('/sys/fs/cgroup', 'by sudo', MACHINE).map(
    ({ name, found }) => `${name}: ${found}`,
  );
  expect(lines).toEqual([
    'system: linux',
    'kernel: 6.1.0-50',
    'processor: x64',
    'container job or slim image: no',
    'kernel types (BTF): yes',
    'cgroup2: /sys/fs/cgroup',
    'security modules (LSM): lockdown,capability,bpf; none is needed',
    'root: by sudo',
  ]);
});

test('a machine that does not tell its security modules misses nothing', () => {
  const readText = () => {
    throw new Error('ENOENT');
  };
  expect(missing({ readText })).toEqual([]);
});
