// What the daemon finds out about the platform at start: the cloud, and the cgroups of its services.
import { readFileSync, statSync } from 'node:fs';
import type { PlatformCgroup } from '../../core/flow/kernel-writes.ts';
import type { CloudFacts } from '../../core/policy/cloud.ts';
import { cgroupMount } from './cgroup.ts';

const DMI = '/sys/class/dmi/id';
/** Fixed services by their own cgroups: never a slice, never a prefix (steps run in services too). */
const AGENTS = ['walinuxagent', 'systemd-networkd', 'cloud-init'];
/** DHCP clients besides systemd-networkd; `networking` is ifupdown, below which dhclient runs. */
const LEASE_ONLY = ['NetworkManager', 'networking', 'dhcpcd'];

function readSmall(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // no such field: another platform
  }
}

/** The facts that tell the cloud; `provider` is of the daemon's own environment. */
export function readCloudFacts(provider: string, read = readSmall): CloudFacts {
  return {
    provider,
    systemVendor: read(`${DMI}/sys_vendor`),
    chassisAssetTag: read(`${DMI}/chassis_asset_tag`),
  };
}

/** The services' cgroups that exist now; a cgroup's id is its directory's inode number. */
export function platformCgroups(mount = cgroupMount()): readonly PlatformCgroup[] {
  if (mount === undefined) return [];
  const found = (isLeaseOnly: boolean) => (name: string) => {
    try {
      const { ino } = statSync(`${mount}/system.slice/${name}.service`, { bigint: true });
      return [{ id: ino, isLeaseOnly }];
    } catch {
      return []; // not running here
    }
  };
  return [...AGENTS.flatMap(found(false)), ...LEASE_ONLY.flatMap(found(true))];
}
