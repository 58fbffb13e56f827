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
/** How late a time-out or a second sending may come. */
const TICK_MS = 50;
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
  readonly timeoutMs: number;
  readonly sinceMs: number;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  sentTwice: boolean;
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

function withId(message: Uint8Array, id: number): Uint8Array {
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
  #connected = false;
  #closed = false;
  broken = false;

  constructor(server: Server) {
    this.#socket = createSocket({ type: isIPv6(server.address) ? 'udp6' : 'udp4' });
    this.#socket.unref();
    this.#socket.on('message', (reply) => this.#take(reply));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.connect(server.port, server.address, (error?: Error | null) => {
      if (error) return this.#fail(error);
      this.#connected = true;
      for (const { message } of this.#waiting.values()) this.#socket.send(message);
    });
  }

  /** Whether no further question should leave from it. */
  get isSpent(): boolean {
    return this.broken || this.#used >= QUESTIONS_PER_PORT;
  }

  /** Whether nobody waits on it and nobody will. */
  get isDone(): boolean {
    return this.isSpent && this.#waiting.size === 0;
  }

  #take(reply: Uint8Array): void {
    if (reply.length < HEADER_SIZE) return;
    const id = ((reply[0] ?? 0) << 8) | (reply[1] ?? 0);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || !answers(reply, waiting.message)) return;
    this.#end(id);
    waiting.resolve(reply);
  }

  #end(id: number): void {
    this.#waiting.delete(id);
    if (this.isDone) this.close();
  }

  /** The end of the socket: who still waits on it gets an error. */
  #fail(error: Error): void {
    this.broken = true;
    if (!this.#closed) this.#socket.close();
    this.#closed = true;
    const failure = new UpstreamTransportError(
      'transport',
      `the resolver: ${error.message}`,
      error,
    );
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) waiting.reject(failure);
  }

  #freeId(): number {
    let id = randomInt(0x10000);
    while (this.#waiting.has(id)) id = randomInt(0x10000);
    return id;
  }

  ask(question: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    this.#used++;
    const id = this.#freeId();
    const message = withId(question, id);
    if (this.#connected) this.#socket.send(message);
    return new Promise((resolve, reject) => {
      const sinceMs = performance.now();
      this.#waiting.set(id, { message, timeoutMs, sinceMs, resolve, reject, sentTwice: false });
    });
  }

  /** Ends what has waited too long; a question half-way there is sent a second time. */
  tick(nowMs: number): void {
    for (const [id, waiting] of this.#waiting) {
      const { message, timeoutMs, sinceMs, sentTwice } = waiting;
      if (nowMs - sinceMs >= timeoutMs) {
        const spent = `no reply in ${Math.round(timeoutMs)} ms`;
        this.#end(id);
        waiting.reject(new UpstreamTransportError('timeout', spent));
      } else if (!sentTwice && nowMs - sinceMs >= RETRANSMIT_MS) {
        waiting.sentTwice = true;
        if (timeoutMs > RETRANSMIT_MS * 1.5) this.#socket.send(message);
      }
    }
  }

  /** Ends the socket; whoever still waits on it gets an error. */
  close(): void {
    this.#fail(new Error('closed'));
  }
}

function askTcp(server: Server, question: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  const message = withId(question, randomInt(0x10000));
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
  readonly #current = new Map<string, Port[]>();
  /** Every port somebody waits on, spent ones too. */
  readonly #ports = new Set<Port>();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Sends `message` under an id of its own and resolves to the matching reply;
   * errors: UpstreamTransportError.
   */
  ask(
    server: Server,
    message: Uint8Array,
    proto: 'udp' | 'tcp',
    timeoutMs: number,
  ): Promise<Uint8Array> {
    if (this.#waiting >= MAX_WAITING) {
      const error = new UpstreamTransportError(
        'overloaded',
        `${MAX_WAITING} questions are waiting`,
      );
      return Promise.reject(error);
    }
    this.#waiting++;
    const asked =
      proto === 'tcp'
        ? askTcp(server, message, timeoutMs)
        : this.#port(server).ask(message, timeoutMs);
    // One timer for all: a lost datagram can only be told by time.
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return asked.finally(() => {
      this.#waiting--;
    });
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const port of this.#ports) {
      port.tick(nowMs);
      if (port.isDone) this.#ports.delete(port);
    }
    if (this.#waiting > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #port(server: Server): Port {
    const key = `${server.address} ${server.port}`;
    const current = this.#current.get(key) ?? [];
    this.#current.set(key, current);
    const index = randomInt(PORTS_PER_SERVER);
    const port = current[index];
    if (port !== undefined && !port.isSpent) return port;
    const fresh = new Port(server);
    current[index] = fresh;
    this.#ports.add(fresh);
    return fresh;
  }

  /** Closes every socket; questions at work end with an error. */
  close(): void {
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    this.#current.clear();
  }
}
