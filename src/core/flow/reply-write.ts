// Replies the kernel gives again (bpf/again.bpf.h): struct reply_key and struct reply_value.

import type { MapWrite } from '../policy/map-write.ts';
import { OFFSET, SCOPE, SIZE, WRITABLE_MAP } from './layout.gen.ts';

const ID_SIZE = 2;
const QUESTION_MAX = SIZE.reply_key - OFFSET.reply_key.question;
const REPLY_MAX = SIZE.reply_value - OFFSET.reply_value.reply;

/** The key of a question over UDP; undefined: it is too long for the kernel. */
export function replyKey(question: Uint8Array, isRunner: boolean): Uint8Array | undefined {
  const size = question.length - ID_SIZE;
  if (size > QUESTION_MAX) return undefined;
  const key = new Uint8Array(SIZE.reply_key);
  const view = new DataView(key.buffer);
  view.setUint32(OFFSET.reply_key.scope, isRunner ? SCOPE.RUNNER : SCOPE.EVERYONE, true);
  view.setUint32(OFFSET.reply_key.size, size, true);
  key.set(question.subarray(ID_SIZE), OFFSET.reply_key.question);
  return key;
}

/** What the kernel is to know of a reply. */
export interface KernelReply {
  /** Of this entry; none may come twice. */
  readonly number: bigint;
  readonly reply: Uint8Array;
  /** Monotonic. */
  readonly untilMs: number;
}

/** Lets the kernel give a reply; undefined: it is too long for it. */
export function replyWrite(key: Uint8Array, given: KernelReply): MapWrite | undefined {
  const size = given.reply.length - ID_SIZE;
  if (size > REPLY_MAX) return undefined;
  const value = new Uint8Array(SIZE.reply_value);
  const view = new DataView(value.buffer);
  const at = OFFSET.reply_value;
  view.setBigUint64(at.number, given.number, true);
  view.setBigUint64(at.until_ns, BigInt(Math.floor(given.untilMs * 1e6)), true);
  view.setUint32(at.size, size, true);
  value.set(given.reply.subarray(ID_SIZE), at.reply);
  return { map: WRITABLE_MAP.REPLIES, op: 'update', key, value };
}

/** Takes a reply back. */
export function replyEnd(key: Uint8Array): MapWrite {
  return { map: WRITABLE_MAP.REPLIES, op: 'delete', key, value: new Uint8Array() };
}
