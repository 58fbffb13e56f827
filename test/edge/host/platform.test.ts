// Which cgroups of services are known, by their folders alone.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { platformCgroups } from '../../../src/edge/host/platform.ts';

let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), 'cargowall-platform-'));
});
afterEach(() => rmSync(mount, { recursive: true, force: true }));

/** Makes a cgroup's folder; what is known of it: its id and whether for leases alone, or nothing. */
function knownOf(path: string): boolean | undefined {
  const folder = join(mount, path);
  mkdirSync(folder, { recursive: true });
  const { ino } = statSync(folder, { bigint: true });
  return platformCgroups(mount).find(({ id }) => id === ino)?.isLeaseOnly;
}

test.each(['walinuxagent', 'systemd-networkd', 'cloud-init'])('%s is an agent', (name) => {
  expect(knownOf(`system.slice/${name}.service`)).toBe(false);
});

test.each([
  'NetworkManager.service',
  'networking.service',
  'dhcpcd.service',
  'ifup@eth0.service',
  'ifup@eth0.100.service',
  'system-ifup.slice/ifup@eth0.service',
  'dhcpcd@eth0.service',
  'system-dhcpcd.slice/dhcpcd@wl\\x2d0.service',
])('%s has a lease, and nothing else', (path) => {
  expect(knownOf(`system.slice/${path}`)).toBe(true);
});

test.each([
  'system.slice',
  'system.slice/system-ifup.slice',
  'system.slice/ifup@eth0.scope',
  'system.slice/ifup.service',
  'system.slice/my-ifup@eth0.service',
  'system.slice/ifup@eth0.service/below',
  'system.slice/system-other.slice/ifup@eth0.service',
  'user.slice/ifup@eth0.service',
  'ifup@eth0.service',
])('%s is nothing known', (path) => {
  expect(knownOf(path)).toBeUndefined();
});
