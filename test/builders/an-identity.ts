// The content of an IDENTITIES frame, as bpf/loader/identities.c sends it.
import { OFFSET, SIZE } from '../../src/core/flow/layout.gen.ts';

/** What a test says of a process. */
export interface IdentityWishes {
  readonly pid: number;
  readonly startNs: bigint;
  readonly execs?: number;
  readonly ino?: bigint;
  readonly isUnlinked?: boolean;
  readonly file?: string;
  /** Names of its ancestors, the parent first; their pids count down from its own. */
  readonly ancestors?: readonly string[];
}

const ROW = SIZE.identity_key + SIZE.identity;

function fillExe(view: DataView, at: number, ino: bigint, isUnlinked: boolean): void {
  if (ino === 0n) return;
  view.setBigUint64(at + OFFSET.exe.ino, ino, true);
  view.setUint32(at + OFFSET.exe.dev, (254 << 20) | 3, true);
  view.setUint32(at + OFFSET.exe.flags, isUnlinked ? 1 : 0, true);
}

function fill(bytes: Uint8Array, at: number, wishes: IdentityWishes): void {
  const { pid, startNs, execs = 0, ino = 42n, isUnlinked = false, file = 'curl' } = wishes;
  const view = new DataView(bytes.buffer, at, ROW);
  view.setUint32(OFFSET.identity_key.pid, pid, true);
  view.setBigUint64(OFFSET.identity_key.start_ns, startNs, true);
  view.setUint32(OFFSET.identity_key.execs, execs, true);
  const value = SIZE.identity_key;
  const ancestors = wishes.ancestors ?? [];
  view.setUint8(value + OFFSET.identity.depth, ancestors.length);
  fillExe(view, value + OFFSET.identity.exe, ino, isUnlinked);
  bytes.set(new TextEncoder().encode(file), at + value + OFFSET.identity.file);
  for (const [index, name] of ancestors.entries()) {
    const one = value + OFFSET.identity.ancestors + index * SIZE.ancestor;
    view.setUint32(one + OFFSET.ancestor.pid, pid - 1 - index, true);
    view.setBigUint64(one + OFFSET.ancestor.start_ns, BigInt(8 - index) * 10_000_000n, true);
    fillExe(view, one + OFFSET.ancestor.exe, ino + BigInt(index) + 1n, false);
    bytes.set(new TextEncoder().encode(name), at + one + OFFSET.ancestor.comm);
  }
}

/** The bytes that tell of these processes. */
export function identityBytes(...wishes: readonly IdentityWishes[]): Uint8Array {
  const bytes = new Uint8Array(ROW * wishes.length);
  for (const [index, one] of wishes.entries()) fill(bytes, index * ROW, one);
  return bytes;
}
