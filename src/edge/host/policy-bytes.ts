// The bytes of a policy: of a file that is read safely, or of a stream; both have one limit.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Files above this size, in bytes, are refused. */
export const MAX_POLICY_BYTES = 1024 * 1024;

/** The bytes of a regular file that is no link; throws with path and remedy. */
export async function readPolicyBytes(path: string): Promise<Uint8Array> {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fail = (error: NodeJS.ErrnoException): never => {
    throw new Error(`policy file ${path}: ${reasonOf(error)}`, { cause: error });
  };
  const file = await open(path, flags).catch(fail);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`policy file ${path}: not a regular file. Name a file`);
    const buffer = new Uint8Array(MAX_POLICY_BYTES + 1);
    let size = 0;
    while (size < buffer.length) {
      const room = buffer.length - size;
      const { bytesRead } = await file.read(buffer, size, room, size).catch(fail);
      if (bytesRead === 0) break;
      size += bytesRead;
    }
    if (size > MAX_POLICY_BYTES) throw tooLarge(path);
    return buffer.slice(0, size);
  } finally {
    await file.close();
  }
}

function tooLarge(source: string): Error {
  return new Error(`policy file ${source}: larger than ${MAX_POLICY_BYTES} bytes. Make it smaller`);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT')
    return 'does not exist. Check the path, and that the checkout ran before';
  if (error.code === 'ELOOP') return 'is a symbolic link. Name the file itself';
  if (error.code === 'EACCES') return 'may not be read. Check its permissions';
  return `can not be read (${error.code ?? error.message})`;
}

/** What a stream has, up to its end; throws when it's larger than a file may be. */
export async function readStreamBytes(
  stream: AsyncIterable<Uint8Array>,
  source: string,
): Promise<Uint8Array> {
  const content = new Uint8Array(MAX_POLICY_BYTES);
  let size = 0;
  for await (const bytes of stream) {
    if (size + bytes.length > MAX_POLICY_BYTES) throw tooLarge(source);
    content.set(bytes, size);
    size += bytes.length;
  }
  return content.subarray(0, size);
}
