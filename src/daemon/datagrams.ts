// Questions over UDP: the loader's sockets, the proxy's answers.
import { decodeOwnerValue } from '../core/flow/owner.ts';
import type { Address } from '../core/net/address.ts';
import type { Datagram, Peer } from '../core/wire/datagrams.ts';
import type { Hello } from '../core/wire/loader-messages.ts';
import type { DnsProxy } from './dns-proxy-options.ts';

/** Where answers go. */
export interface DatagramAnswers {
  answer(to: Peer, message: Uint8Array): void;
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
  const answerOne = async (datagram: Datagram) => {
    const { socket, address, port, owner, message } = datagram;
    const local = locals.get(socket);
    if (local === undefined) return;
    const asker = owner === undefined ? 'unknown' : decodeOwnerValue(owner);
    const client = { address, port, proto: 'udp', local, asker } as const;
    const reply = await proxy.handle(message, client);
    if (reply !== undefined) answers.answer(datagram, reply);
  };
  return (datagrams) => {
    for (const datagram of datagrams) void answerOne(datagram);
  };
}
