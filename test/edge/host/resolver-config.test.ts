import { hostname, networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { readResolverConfig } from '../../../src/edge/host/resolver-config.ts';

function read(files: Record<string, string>) {
  return (path: string) => files[path] ?? '';
}

const STUB = { '/etc/resolv.conf': 'nameserver 127.0.0.53\n' };

describe('upstreams', () => {
  test.each([
    ['192.0.2.53', [{ address: '192.0.2.53', port: 53 }]],
    [
      '192.0.2.53:5353, 2001:db8::1',
      [
        { address: '192.0.2.53', port: 5353 },
        { address: '2001:db8::1', port: 53 },
      ],
    ],
    ['[2001:db8::1]:5353', [{ address: '2001:db8::1', port: 5353 }]],
  ])('%s', (input, upstreams) => {
    expect(readResolverConfig(input, read(STUB))).toMatchObject({ config: { upstreams } });
  });

  test.each([
    '127.0.0.1',
    '::1',
    '0.0.0.0',
    '::',
    'resolver.example.com',
    '192.0.2.53:0',
    '192.0.2.53:70000',
    '192.0.2.53:053',
    '192.0.2.53:',
    '[192.0.2.53]:53',
    '2001:db8::1]:53',
    '::ffff:127.0.0.1',
    '192.0.2.53 192.0.2.54',
  ])('%s is an error', (input) => {
    const found = readResolverConfig(input, read(STUB));
    expect('errors' in found && found.errors[0]).toContain('input dns-upstream');
    expect(found).toMatchObject({ fault: 'input' });
  });

  const OWN = ['10.0.0.5', '2001:db8::5'];
  test.each([
    ['10.0.0.5', 'a resolver that is not this machine'],
    ['[2001:db8:0::5]:5353', 'a resolver that is not this machine'],
    ['fe80::1', 'an address of the resolver that is not link-local, such as 2001:db8::53'],
    [
      'fe80::1%eth0',
      'column 1: found "fe80::1", expected an address of the resolver that is not link-',
    ],
    ['[fe80::1%2]:53', 'an address of the resolver that is not link-local'],
    ['2001:db8::1%eth0', 'expected the address of a resolver'],
  ])('%s is an error where it is: %s', (input, words) => {
    const found = readResolverConfig(input, read(STUB), OWN);
    expect('errors' in found && found.errors[0]).toContain(words);
  });

  test("detected, without the machine's own addresses and link-local ones", () => {
    const servers = ['10.0.0.5', 'fe80::1%eth0', '2001:db8::53', '2001:db8::5'];
    const text = servers.map((one) => `nameserver ${one}\n`).join('');
    expect(readResolverConfig('', read({ '/etc/resolv.conf': text }), OWN)).toMatchObject({
      config: {
        upstreams: [{ address: '2001:db8::53', port: 53 }],
        resolvers: expect.arrayContaining(['10.0.0.5', 'fe80::1', '2001:db8::5']),
      },
    });
    expect(
      readResolverConfig('', read({ '/etc/resolv.conf': 'nameserver fe80::1%2\n' }), OWN),
    ).toEqual({
      fault: 'machine',
      errors: [
        expect.stringMatching(/ name fe80::1; .*link-local.* dns-upstream to another address/u),
      ],
    });
  });

  test('each error has its place, on the smallest wrong part', () => {
    const found = readResolverConfig('192.0.2.53, 127.0.0.1,\n192.0.2.53:x', read(STUB));
    expect(found).toEqual({
      fault: 'input',
      errors: [
        expect.stringContaining('input dns-upstream line 1 column 13: found "127.0.0.1", expected'),
        expect.stringContaining('input dns-upstream line 2 column 12: found "x", expected a port'),
      ],
    });
  });

  test("are those of systemd-resolved behind its stub, and every one's port 53 is steered", () => {
    const files = { ...STUB, '/run/systemd/resolve/resolv.conf': 'nameserver 168.63.129.16\n' };
    expect(readResolverConfig('', read(files))).toMatchObject({
      config: {
        upstreams: [{ address: '168.63.129.16', port: 53 }],
        resolvers: ['168.63.129.16', '127.0.0.53', '127.0.0.54'],
      },
    });
  });

  test.each(['127.0.0.53', '0.0.0.0', '::', '::1', '127.0.0.11'])(
    'none besides the machine itself (%s) is an error of the machine',
    (own) => {
      const found = readResolverConfig('', read({ '/etc/resolv.conf': `nameserver ${own}\n` }));
      expect('errors' in found && found.errors[0]).toContain('Set the input dns-upstream');
      expect(found).toMatchObject({ fault: 'machine' });
    },
  );
});

test('names of /etc/hosts are answered locally', () => {
  const hosts = '127.0.0.1 localhost\n10.0.0.5 Build-Cache cache # comment\n';
  const files = { '/etc/resolv.conf': 'nameserver 192.0.2.53\n', '/etc/hosts': hosts };
  const found = readResolverConfig('', read(files));
  expect('config' in found && found.config.localNames).toEqual(
    expect.arrayContaining([
      { name: 'build-cache', addresses: ['10.0.0.5'] },
      { name: 'cache', addresses: ['10.0.0.5'] },
    ]),
  );
});

test('the machine and its gateway have the addresses they are reached at', () => {
  const route = 'Iface\tDestination\tGateway \nw0\t00000000\t0100000A\neth0\t0000000A\t00000000\n';
  const files = { '/etc/resolv.conf': 'nameserver 192.0.2.53\n', '/proc/net/route': route };
  const found = readResolverConfig('', read(files));
  const names = 'config' in found ? found.config.localNames : [];
  expect(names).toContainEqual({ name: '_gateway', addresses: ['10.0.0.1'] });
  const outside = Object.values(networkInterfaces())
    .flatMap((some) => some ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  const own = names.find(({ name }) => name === hostname().toLowerCase());
  expect(own?.addresses).toEqual(expect.arrayContaining(outside));
});
