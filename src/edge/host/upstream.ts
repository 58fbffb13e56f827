// Sends questions to upstream resolvers. What protects an answer against forgery (RFC 5452): a
// random id, one of several random source ports that change often, a connected socket, and the
// question echoed byte for byte.
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { DnsStream, framed } from './dns-stream.ts';

const PORTS_PER_SERVER = 8;
const QUESTIONS_PER_PORT = 256;
const RETRANSMIT_MS = 600;
const MAX_WAITING = 4096;
const HEADER_SIZE = 12;

/** Why a resolver gave no answer. */
export class UpstreamTransportError extends Error {
  readonly code: 'timeout' | 'transport' | 'overloaded';

  constructor(code: 'timeout' | 'transport' | 'overloaded', message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UpstreamTransportError';
    this.code = code;
  }
}

interface Server {
  readonly address: string;
  readonly port: number;
}

interface Waiting {
  readonly message: Uint8Array;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Bytes of the one question of a message of ours: up to the type and class behind its name. */
function questionEnd(message: Uint8Array): number {
  let at = HEADER_SIZE;
  while (at < message.length && (message[at] ?? 0) !== 0) at += 1 + (message[at] ?? 0);
  return at + 5;
}

/** Whether the reply answers the question: a response to it, letters in any case. */
function answers(reply: Uint8Array, message: Uint8Array): boolean {
  const end = questionEnd(message);
  if (reply.length < end || ((reply[2] ?? 0) & 0x80) === 0) return false;
  if (reply[4] !== 0 || reply[5] !== 1) return false;
  for (let at = HEADER_SIZE; at < end; at++) {
    if (lower(reply[at] ?? 0) !== lower(message[at] ?? 0)) return false;
  }
  return true;
}

function withRandomId(message: Uint8Array, id: number): Uint8Array {
  const copy = message.slice();
  copy[0] = id >> 8;
  copy[1] = id & 0xff;
  return copy;
}

/** One source port towards one server. */
class Port {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #used = 0;
  #closed = false;
  #ready: Promise<void>;
  broken = false;

  constructor(server: Server) {
    this.#socket = createSocket({ type: isIPv6(server.address) ? 'udp6' : 'udp4' });
    this.#socket.unref();
    this.#socket.on('message', (reply) => this.#take(reply));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#ready = new Promise((resolve) => {
      this.#socket.connect(server.port, server.address, (error?: Error | null) => {
        if (error) this.#fail(error);
        resolve();
      });
    });
  }

  /** Whether no further question should leave from it. */
  get isSpent(): boolean {
    return this.broken || this.#used >= QUESTIONS_PER_PORT;
  }

  #take(reply: Uint8Array): void {
    if (reply.length < HEADER_SIZE) return;
    const id = ((reply[0] ?? 0) << 8) | (reply[1] ?? 0);
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined && answers(reply, waiting.message)) waiting.resolve(reply);
  }

  #fail(error: Error): void {
    this.broken = true;
    const failure = new UpstreamTransportError(
      'transport',
      `the resolver: ${error.message}`,
      error,
    );
    for (const waiting of this.#waiting.values()) waiting.reject(failure);
  }

  #freeId(): number {
    let id = randomInt(0x10000);
    while (this.#waiting.has(id)) id = randomInt(0x10000);
    return id;
  }

  async ask(question: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    this.#used++;
    const id = this.#freeId();
    const message = withRandomId(question, id);
    const timers: NodeJS.Timeout[] = [];
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        this.#waiting.set(id, { message, resolve, reject });
        const send = () => {
          if (this.broken) reject(new UpstreamTransportError('transport', 'the socket is broken'));
          else this.#socket.send(message, (error) => error && this.#fail(error));
        };
        // The reply that is missing is the event; a lost datagram can only be told by time.
        if (timeoutMs > RETRANSMIT_MS * 1.5) timers.push(setTimeout(send, RETRANSMIT_MS));
        const late = () =>
          reject(new UpstreamTransportError('timeout', `no reply in ${Math.round(timeoutMs)} ms`));
        timers.push(setTimeout(late, timeoutMs));
        this.#ready.then(send, reject);
      });
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.#waiting.delete(id);
      if (this.isSpent && this.#waiting.size === 0) this.close();
    }
  }

  /** Ends the socket; whoever still waits on it gets an error. */
  close(): void {
    this.#fail(new Error('closed'));
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

function askTcp(server: Server, question: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  const message = withRandomId(question, randomInt(0x10000));
  return new Promise((resolve, reject) => {
    const stream = new DnsStream();
    const socket = connect({ host: server.address, port: server.port, noDelay: true });
    const end = (error: UpstreamTransportError) => {
      socket.destroy();
      reject(error);
    };
    const late = () =>
      end(new UpstreamTransportError('timeout', `no reply in ${Math.round(timeoutMs)} ms`));
    const timer = setTimeout(late, timeoutMs);
    socket.on('connect', () => socket.write(framed(message)));
    socket.on('data', (bytes: Uint8Array) => {
      const reply = stream.take(bytes).find((one) => {
        return one[0] === message[0] && one[1] === message[1] && answers(one, message);
      });
      if (reply === undefined) return;
      socket.destroy();
      resolve(reply);
    });
    socket.on('error', (error) =>
      end(new UpstreamTransportError('transport', error.message, error)),
    );
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new UpstreamTransportError('transport', 'the resolver closed the connection'));
    });
  });
}

/** A client of upstream resolvers. */
export class UpstreamClient {
  readonly #ports = new Map<string, Port[]>();
  #waiting = 0;

  /**
   * Sends `message` under an id of its own and resolves to the matching reply;
   * errors: UpstreamTransportError.
   */
  async ask(
    server: Server,
    message: Uint8Array,
    proto: 'udp' | 'tcp',
    timeoutMs: number,
  ): Promise<Uint8Array> {
    if (this.#waiting >= MAX_WAITING) {
      throw new UpstreamTransportError('overloaded', `${MAX_WAITING} questions are waiting`);
    }
    this.#waiting++;
    try {
      if (proto === 'tcp') return await askTcp(server, message, timeoutMs);
      return await this.#port(server).ask(message, timeoutMs);
    } finally {
      this.#waiting--;
    }
  }

  #port(server: Server): Port {
    const key = `${server.address} ${server.port}`;
    const ports = this.#ports.get(key) ?? [];
    this.#ports.set(key, ports);
    const index = randomInt(PORTS_PER_SERVER);
    const port = ports[index];
    if (port !== undefined && !port.isSpent) return port;
    const fresh = new Port(server);
    ports[index] = fresh;
    return fresh;
  }

  /** Closes every socket; questions at work end with an error. */
  close(): void {
    for (const ports of this.#ports.values()) for (const port of ports) port?.close();
    this.#ports.clear();
  }
}
