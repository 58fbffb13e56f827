// A DNS listener over TCP, bound by the loader and inherited by descriptor. Connections (`admit` says whose),
// questions at work and idle time are bounded, so slow clients can't use it up.
import { createServer, type Server, type Socket } from 'node:net';
import {
  type DnsArrival,
  type DnsSocket,
  type DnsSocketOptions,
  withoutZone,
} from './dns-handler.ts';
import { DnsStream, framed } from './dns-stream.ts';

/** With those whose owner is asked for; what may stay is far less. */
const MAX_CONNECTIONS = 4096;
const MAX_AT_WORK = 32;
const IDLE_MS = 10_000;
/** One message must be whole this long after its first byte, whatever else trickles. */
const MESSAGE_MS = 10_000;
const MAX_UNSENT = 256 * 1024;

/** Who is at the other end; undefined when it has gone already. */
function arrivalOf({ remoteAddress: address, remotePort: port }: Socket): DnsArrival | undefined {
  if (address === undefined || port === undefined) return undefined;
  return { address: withoutZone(address), port, proto: 'tcp' };
}

/** Serves a connection there is room for; ends any other. */
async function receive(socket: Socket, options: DnsSocketOptions): Promise<void> {
  const client = arrivalOf(socket);
  const leave = client && (await options.admit(client));
  if (client === undefined || leave === undefined) {
    socket.destroy();
  } else if (socket.destroyed) {
    leave();
  } else {
    socket.once('close', leave);
    serve(socket, client, options);
  }
}

function serve(socket: Socket, client: DnsArrival, options: DnsSocketOptions): void {
  const stream = new DnsStream();
  let atWork = 0;
  let isHeard = false;
  // A client may close its side behind its last question and wait for the answers (RFC 7766 6.2.4).
  const endWhenAnswered = () => {
    if (isHeard && atWork === 0) socket.end();
  };
  const answerOne = async (message: Uint8Array) => {
    atWork++;
    if (atWork >= MAX_AT_WORK) socket.pause();
    const reply = await options.handle(message, client);
    atWork--;
    if (reply === undefined) socket.destroy();
    else if (!socket.destroyed) socket.write(framed(reply));
    if (socket.writableLength > MAX_UNSENT) socket.destroy();
    else if (atWork < MAX_AT_WORK) socket.resume();
    endWhenAnswered();
  };
  let whole = setTimeout(() => socket.destroy(), MESSAGE_MS);
  socket.on('data', (bytes: Uint8Array) => {
    for (const message of stream.take(bytes)) {
      clearTimeout(whole);
      whole = setTimeout(() => socket.destroy(), MESSAGE_MS);
      answerOne(message).catch(options.onError);
    }
  });
  socket.on('end', () => {
    isHeard = true;
    endWhenAnswered();
  });
  socket.on('close', () => clearTimeout(whole));
}

/** Adopts a listening TCP socket; rejects when it can't. */
export function adoptDnsTcp(options: DnsSocketOptions): Promise<DnsSocket> {
  const clients = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    clients.add(socket);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    // A broken connection is the client's affair; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => clients.delete(socket));
    receive(socket, options).catch(options.onError);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('drop', options.onDrop);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: options.fd }, () => {
      server.off('error', reject);
      server.on('error', options.onError);
      resolve({
        close: () => {
          server.close();
          for (const socket of clients) socket.destroy();
        },
      });
    });
  });
}
