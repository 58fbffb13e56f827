// What main tries to prove the wall (spec 10): a process of the job, with plain sockets.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const TIMEOUT_MS = 2000;

/** What became of an attempt: `connected`, `sent`, an errno name, or `no answer`. */
export type AttemptOutcome = string;

/** Connects by TCP. */
export function tryConnect(address: string, port: number): Promise<AttemptOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: TIMEOUT_MS });
    const end = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on('connect', () => end('connected'));
    socket.on('timeout', () => end('no answer'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Sends one datagram. */
export function trySend(address: string, port: number): Promise<AttemptOutcome> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = (outcome: string) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('no answer'), TIMEOUT_MS);
    const fail = (error: NodeJS.ErrnoException) => end(error.code ?? error.message);
    socket.once('error', fail);
    socket.send(Uint8Array.of(0), port, address, (error) => {
      if (error === null) end('sent');
      else fail(error);
    });
  });
}

function isReplyTo(message: Uint8Array, reply: Uint8Array): boolean {
  return reply[0] === message[0] && reply[1] === message[1];
}

/** Sends a message to port 53 of an address; the reply from there, or undefined without one. */
export function tryQuestion(
  address: string,
  message: Uint8Array,
  port = 53,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (reply: Uint8Array | undefined) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => end(undefined), TIMEOUT_MS);
    socket.once('error', () => end(undefined));
    socket.on('message', (reply, from) => {
      if (from.address === address && from.port === port && isReplyTo(message, reply)) end(reply);
    });
    socket.send(message, port, address, (error) => {
      if (error !== null) end(undefined);
    });
  });
}
