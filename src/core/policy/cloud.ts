// Which cloud a machine is in, and the suffixes of its internal names (spec 6 and 7).

/** A cloud we know names of. */
export type Cloud = 'aws' | 'azure' | 'gcp';

/** What tells the cloud; texts as the files have them, empty where there is none. */
export interface CloudFacts {
  /** CARGOWALL_CLOUD_PROVIDER of the daemon's own environment. */
  readonly provider: string;
  /** /sys/class/dmi/id/sys_vendor */
  readonly systemVendor: string;
  /** /sys/class/dmi/id/chassis_asset_tag */
  readonly chassisAssetTag: string;
}

/** Azure's, on every machine of it. */
const AZURE_CHASSIS = '7783-7084-3265-9085-8269-3286-77';

const SUFFIXES: Readonly<Record<Cloud, readonly string[]>> = {
  aws: ['compute.internal', 'ec2.internal'],
  azure: ['internal.cloudapp.net'],
  gcp: ['google.internal'],
};

/** The cloud, or undefined. The environment comes first; an unknown word there is no cloud. */
export function cloudOf({
  provider,
  systemVendor,
  chassisAssetTag,
}: CloudFacts): Cloud | undefined {
  const named = provider.trim().toLowerCase();
  if (named !== '')
    return named === 'aws' || named === 'azure' || named === 'gcp' ? named : undefined;
  if (systemVendor.includes('Amazon EC2')) return 'aws';
  if (systemVendor.includes('Google')) return 'gcp';
  return chassisAssetTag.trim() === AZURE_CHASSIS ? 'azure' : undefined;
}

/** Search domains a cloud adds, without leading dots. */
export function cloudSearchDomains(cloud: Cloud | undefined): readonly string[] {
  return cloud === undefined ? [] : SUFFIXES[cloud];
}
