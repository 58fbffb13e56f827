// Questions over UDP: the loader's sockets, the proxy's answers.
import { decodeOwnerValue, type Owner } from '../core/flow/owner.ts';
import type { Address } from '../core/net/address.ts';
import type { Datagram, Peer } from '../core/wire/datagrams.ts';
import type { Hello } from '../core/wire/loader-messages.ts';
import type { DnsProxy } from './dns-proxy-options.ts';

/** Where answers go. */
export interface DatagramAnswers {
  answer(to: Peer, message: Uint8Array): void;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return one.length === other.length;
}

/** Decodes owners; the same one again, as of a process that asks a lot, only once. */
function ownerDecoder(): (bytes: Uint8Array) => Owner {
  let last: { readonly bytes: Uint8Array; readonly owner: Owner } | undefined;
  return (bytes) => {
    if (last === undefined || !sameBytes(bytes, last.bytes)) {
      last = { bytes: bytes.slice(), owner: decodeOwnerValue(bytes) };
    }
    return last.owner;
  };
}

/** Answers datagrams; the proxy never rejects. */
export function datagramServer(
  hello: Pick<Hello, 'datagrams'>,
  proxy: Pick<DnsProxy, 'handle'>,
  answers: DatagramAnswers,
): (datagrams: readonly Datagram[]) => void {
  const locals = new Map<number, Address>(
    hello.datagrams.map(({ socket, address }) => [socket, address]),
  );
  const ownerOf = ownerDecoder();
  const answerOne = async (datagram: Datagram) => {
    const { socket, address, port, owner, message } = datagram;
    const local = locals.get(socket);
    if (local === undefined) return;
    const asker = owner === undefined ? 'unknown' : ownerOf(owner);
    const client = { address, port, proto: 'udp', local, asker } as const;
    const reply = await proxy.handle(message, client);
    if (reply !== undefined) answers.answer(datagram, reply);
  };
  return (datagrams) => {
    for (const datagram of datagrams) void answerOne(datagram);
  };
}
