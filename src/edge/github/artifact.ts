// The artifact's upload; the only importer of @actions/artifact.
import { DefaultArtifactClient } from '@actions/artifact';

/** Uploads files of one folder; throws when the service refuses. */
export async function uploadArtifact(
  name: string,
  files: readonly string[],
  folder: string,
  retentionDays: number | undefined,
): Promise<{ readonly id: number | undefined; readonly size: number | undefined }> {
  const options = retentionDays === undefined ? {} : { retentionDays };
  const client = new DefaultArtifactClient();
  const { id, size } = await client.uploadArtifact(name, [...files], folder, options);
  return { id, size };
}
