// A DNS socket over UDP, bound by the loader and inherited by descriptor. Replies leave from the
// socket the query came on, so their source is the address the client asked.
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type DnsSocket, type DnsSocketOptions, withoutZone } from './dns-handler.ts';

/** Every address we send to is one already: nothing is looked up, and nothing waits. */
function noLookup(
  address: string,
  _options: unknown,
  done: (error: Error | null, address: string, family: number) => void,
): void {
  done(null, address, isIPv6(address) ? 6 : 4);
}

/** A client that has gone away is no fault of ours: the error of a send has nobody to go to. */
function ignore(): void {}

/** Adopts a bound UDP socket; rejects when it can't. */
export function adoptDnsUdp(options: DnsSocketOptions): Promise<DnsSocket> {
  const { fd, runner: isRunner, handle, again, onError } = options;
  const type = isIPv6(options.address) ? 'udp6' : 'udp4';
  const socket: Socket = createSocket({ type, lookup: noLookup });
  socket.on('message', (message, { address, port }) => {
    const send = (reply: Uint8Array | undefined) => {
      if (reply !== undefined) socket.send(reply, port, address, ignore);
    };
    const reply = again(message, isRunner);
    if (reply !== undefined) return send(reply);
    const client = { address: withoutZone(address), port, proto: 'udp', isRunner } as const;
    handle(message, client).then(send).catch(onError);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ fd }, () => {
      socket.off('error', reject);
      socket.on('error', onError);
      resolve({ close: () => socket.close() });
    });
  });
}
