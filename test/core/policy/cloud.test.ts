import { describe, expect, test } from 'vitest';
import { cloudOf, cloudSearchDomains } from '../../../src/core/policy/cloud.ts';
import { describeAutoAllowed } from '../../../src/core/policy/describe-auto-allowed.ts';
import { readCloudFacts } from '../../../src/edge/host/platform.ts';
import { aSessionPolicy } from '../../builders/a-session-policy.ts';

const NOTHING = { provider: '', systemVendor: '', chassisAssetTag: '' };
const AZURE = '7783-7084-3265-9085-8269-3286-77';

describe('the cloud', () => {
  test.each([
    ['nothing known', {}, undefined],
    ['Amazon by its vendor', { systemVendor: 'Amazon EC2' }, 'aws'],
    ['Google by its vendor', { systemVendor: 'Google' }, 'gcp'],
    [
      'Azure by its chassis',
      { systemVendor: 'Microsoft Corporation', chassisAssetTag: AZURE },
      'azure',
    ],
    [
      'another machine of that vendor',
      { systemVendor: 'Microsoft Corporation', chassisAssetTag: '1' },
      undefined,
    ],
    ['the environment first', { provider: 'GCP', systemVendor: 'Amazon EC2' }, 'gcp'],
    ['none by the environment', { provider: 'none', systemVendor: 'Amazon EC2' }, undefined],
  ])('%s', (_what, facts, cloud) => {
    expect(cloudOf({ ...NOTHING, ...facts })).toBe(cloud);
  });

  test.each([
    ['aws', ['compute.internal', 'ec2.internal']],
    ['azure', ['internal.cloudapp.net']],
    ['gcp', ['google.internal']],
    [undefined, []],
  ] as const)('%s adds its search domains', (cloud, domains) => {
    expect(cloudSearchDomains(cloud)).toEqual(domains);
  });

  test('is read from DMI, and from the environment of the daemon', () => {
    const files = new Map([
      ['/sys/class/dmi/id/sys_vendor', 'Microsoft Corporation'],
      ['/sys/class/dmi/id/chassis_asset_tag', AZURE],
    ]);
    const read = (path: string) => files.get(path) ?? '';
    expect(cloudOf(readCloudFacts('', read))).toBe('azure');
    expect(cloudOf(readCloudFacts('aws', read))).toBe('aws');
  });
});

test('what is auto-allowed is described by type and for whom', () => {
  const groups = describeAutoAllowed(aSessionPolicy({ githubServiceHosts: '' }), [
    { address: '192.0.2.53', port: 53 },
    { address: '2001:db8::53', port: 5353 },
  ]);
  expect(groups.map(({ type, whose }) => `${type}: ${whose}`)).toEqual([
    'dns: the daemon',
    'cloud_metadata: the runner and the platform',
    'dhcp: the runner and the platform',
    'azure_infrastructure: the runner and the platform',
    'github_service: every step',
    'github_service: the runner',
  ]);
  expect(groups[0]?.targets).toEqual(['192.0.2.53:53', '[2001:db8::53]:5353']);
  expect(groups[1]?.targets).toEqual(['169.254.169.254:80/tcp']);
  expect(groups[2]?.targets).toEqual(['0.0.0.0/0:67/udp', '::/0:547/udp']);
  expect(groups[3]?.targets).toEqual(['168.63.129.16:80/tcp;32526/tcp;67/udp;icmp']);
  expect(groups[4]?.targets[0]).toBe('=github.com:443/tcp');
});
