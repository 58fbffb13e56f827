// A DNS socket over UDP, bound by the loader and inherited by descriptor. Replies leave from the
// socket the query came on, so their source is the address the client asked.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Address, parseAddress } from '../../core/net/address.ts';

/** One message's way in and back. */
export interface DnsArrival {
  readonly address: Address;
  readonly port: number;
  readonly proto: 'udp' | 'tcp';
  readonly local: Address;
}

/** Answers a message; undefined is silence. Must not reject. */
export type DnsHandler = (
  message: Uint8Array,
  client: DnsArrival,
) => Promise<Uint8Array | undefined>;

/** An adopted socket. */
export interface DnsSocket {
  close(): void;
}

/** An IPv6 address of the kernel's may carry its interface. */
function withoutZone(text: string): string {
  const at = text.indexOf('%');
  return at < 0 ? text : text.slice(0, at);
}

/** A remote's address; undefined when it can't be one. */
export function remoteAddress(text: string | undefined): Address | undefined {
  return text === undefined ? undefined : parseAddress(withoutZone(text));
}

async function answerOne(
  socket: Socket,
  handle: DnsHandler,
  message: Uint8Array,
  remote: RemoteInfo,
  local: Address,
) {
  const address = remoteAddress(remote.address);
  if (address === undefined) return;
  const reply = await handle(message, { address, port: remote.port, proto: 'udp', local });
  if (reply === undefined) return;
  // A client that has gone away is no fault of ours: the send's error has nobody to go to.
  socket.send(reply, remote.port, remote.address, () => undefined);
}

/** Adopts a bound UDP socket; `local` is the address it is bound to. Rejects when it can't. */
export function adoptDnsUdp(options: {
  readonly fd: number;
  readonly local: Address;
  readonly ipv6: boolean;
  readonly handle: DnsHandler;
  readonly onError: (error: Error) => void;
}): Promise<DnsSocket> {
  const { fd, local, handle, onError } = options;
  const socket = createSocket({ type: options.ipv6 ? 'udp6' : 'udp4' });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (message, remote) => {
      answerOne(socket, handle, message, remote, local).catch(onError);
    });
    socket.bind({ fd }, () => {
      socket.off('error', reject);
      socket.on('error', onError);
      resolve({ close: () => socket.close() });
    });
  });
}
