// What the daemon finds out about the platform at start: the cloud, and the cgroups of its services.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { PlatformCgroup } from '../../core/flow/kernel-writes.ts';
import type { CloudFacts } from '../../core/policy/cloud.ts';
import { cgroupMount } from './cgroup.ts';

const DMI = '/sys/class/dmi/id';
/** Fixed services by their own cgroups: never a slice, never a prefix (steps run in services too). */
const AGENTS = ['walinuxagent', 'systemd-networkd', 'cloud-init'];
/** DHCP clients besides systemd-networkd; `networking` is ifupdown, below which dhclient runs. */
const LEASE_ONLY = ['NetworkManager', 'networking', 'dhcpcd'];
/** Templates of DHCP clients, an instance for each interface: `ifup@eth0.service`. */
const LEASE_TEMPLATES = ['ifup', 'dhcpcd'];

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

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no such slice
  }
}

/** The instances of a template that run: in the slice a template has by default, or in that of all services. */
function instancesOf(template: string, slice: string): readonly string[] {
  return [slice, `${slice}/system-${template}.slice`].flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.startsWith(`${template}@`) && name.endsWith('.service'))
      .map((name) => `${folder}/${name}`),
  );
}

/** The services' cgroups that exist now; a cgroup's id is its directory's inode number. */
export function platformCgroups(mount = cgroupMount()): readonly PlatformCgroup[] {
  if (mount === undefined) return [];
  const slice = `${mount}/system.slice`;
  const found = (isLeaseOnly: boolean) => (path: string) => {
    try {
      const { ino } = statSync(path, { bigint: true });
      return [{ id: ino, isLeaseOnly }];
    } catch {
      return []; // not running here
    }
  };
  const service = (name: string) => `${slice}/${name}.service`;
  const leaseOnly = [
    ...LEASE_ONLY.map(service),
    ...LEASE_TEMPLATES.flatMap((template) => instancesOf(template, slice)),
  ];
  return [...AGENTS.map(service).flatMap(found(false)), ...leaseOnly.flatMap(found(true))];
}
