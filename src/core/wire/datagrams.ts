// Questions over UDP as the loader hands them on, and their answers (bpf/loader/dns.h).
import type { Address } from '../net/address.ts';
import { LoaderMessageError } from './loader-messages.ts';

/** Where a datagram came from, and goes back to. */
export interface Peer {
  /** Index of the loader's socket. */
  readonly socket: number;
  readonly address: Address;
  readonly port: number;
}

/** One datagram; `owner`: struct owner_value, undefined when the kernel knows nothing of its sender. */
export interface Datagram extends Peer {
  readonly owner: Uint8Array | undefined;
  readonly message: Uint8Array;
}

const HEAD = { size: 0, socket: 2, found: 3, port: 4, peer: 8 } as const;
const ANSWER_HEAD = 24;
const OWNER_AT = 24;
const DATAGRAM_HEAD = 104;

/** The content of QUESTIONS; owners and messages are parts of the payload, not copies. */
export function decodeDatagrams(payload: Uint8Array): readonly Datagram[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const datagrams: Datagram[] = [];
  let at = 0;
  while (at < payload.length) {
    const end = at + DATAGRAM_HEAD;
    const size = end <= payload.length ? view.getUint16(at + HEAD.size, true) : 0;
    if (end + size > payload.length) throw new LoaderMessageError('QUESTIONS that are cut off');
    const isFound = payload[at + HEAD.found] !== 0;
    datagrams.push({
      socket: view.getUint8(at + HEAD.socket),
      port: view.getUint16(at + HEAD.port, true),
      address: payload.slice(at + HEAD.peer, at + HEAD.peer + 16),
      owner: isFound ? payload.subarray(at + OWNER_AT, end) : undefined,
      message: payload.subarray(end, end + size),
    });
    at = end + size;
  }
  return datagrams;
}

/** The payload of ANSWERS. */
export function encodeAnswers(
  answers: readonly { readonly to: Peer; readonly message: Uint8Array }[],
): Uint8Array {
  const size = answers.reduce((sum, { message }) => sum + ANSWER_HEAD + message.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { to, message } of answers) {
    view.setUint16(at + HEAD.size, message.length, true);
    view.setUint8(at + HEAD.socket, to.socket);
    view.setUint16(at + HEAD.port, to.port, true);
    bytes.set(to.address, at + HEAD.peer);
    bytes.set(message, at + ANSWER_HEAD);
    at += ANSWER_HEAD + message.length;
  }
  return bytes;
}
