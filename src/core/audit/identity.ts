// What a process runs and where it comes from, as the kernel has it (struct identity).

import { decodeComm } from '../flow/comm.ts';
import { OFFSET, SIZE } from '../flow/layout.gen.ts';
import type { Ancestor, Exe } from './event.ts';

/** A process from one exec to the next. */
export interface IdentityKey {
  /** 0 = unknown */
  readonly pid: number;
  /** CLOCK_BOOTTIME, ns; 0 = unknown */
  readonly startNs: bigint;
  readonly execs: number;
}

/** What records say of it. */
export interface Identity {
  /** Undefined where there is no file, as of the kernel's threads. */
  readonly exe: Exe | undefined;
  /** The parent first. */
  readonly ancestry: readonly Ancestor[];
}

const KEY = OFFSET.identity_key;
const AT = OFFSET.identity;
const ROW = SIZE.identity_key + SIZE.identity;
const ANCESTORS_MAX = (SIZE.identity - AT.ancestors) / SIZE.ancestor;
const UNLINKED = 1;
const NS_A_TICK = 10_000_000n;

/** A start time as field 22 of /proc/PID/stat has it: 1/100 s since boot. */
export function ticksOf(startNs: bigint): number {
  return Number(startNs / NS_A_TICK);
}

/** The content of IDENTITIES, one by one; throws RangeError when it is cut short. */
export function* decodeIdentities(payload: Uint8Array): Generator<[IdentityKey, Identity]> {
  if (payload.length % ROW !== 0) throw new RangeError(`identities of ${payload.length} bytes`);
  for (let at = 0; at < payload.length; at += ROW) {
    const view = new DataView(payload.buffer, payload.byteOffset + at, ROW);
    const key = {
      pid: view.getUint32(KEY.pid, true),
      startNs: view.getBigUint64(KEY.start_ns, true),
      execs: view.getUint32(KEY.execs, true),
    };
    yield [key, decodeIdentity(payload.subarray(at + SIZE.identity_key, at + ROW))];
  }
}

/** struct identity */
function decodeIdentity(bytes: Uint8Array): Identity {
  const depth = Math.min(bytes[AT.depth] ?? 0, ANCESTORS_MAX);
  const exe = decodeExe(bytes.subarray(AT.exe, AT.exe + SIZE.exe));
  const name = decodeComm(bytes.subarray(AT.file, AT.ancestors));
  return {
    exe: exe && name !== '' ? { ...exe, name } : exe,
    ancestry: Array.from({ length: depth }, (_, index) => {
      const at = AT.ancestors + index * SIZE.ancestor;
      return decodeAncestor(bytes.subarray(at, at + SIZE.ancestor));
    }),
  };
}

/** struct ancestor */
function decodeAncestor(bytes: Uint8Array): Ancestor {
  const at = OFFSET.ancestor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const exe = decodeExe(bytes.subarray(at.exe, at.exe + SIZE.exe));
  return {
    pid: view.getUint32(at.pid, true),
    start_ticks: ticksOf(view.getBigUint64(at.start_ns, true)),
    process: decodeComm(bytes.subarray(at.comm)),
    ...(exe === undefined ? {} : { exe }),
  };
}

/** struct exe */
function decodeExe(bytes: Uint8Array): Exe | undefined {
  const at = OFFSET.exe;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ino = view.getBigUint64(at.ino, true);
  const dev = view.getUint32(at.dev, true);
  if (ino === 0n && dev === 0) return undefined;
  return {
    dev: `${dev >>> 20}:${dev & 0xfffff}`,
    ino: ino.toString(),
    ...((view.getUint32(at.flags, true) & UNLINKED) === 0 ? {} : { deleted: true as const }),
  };
}
