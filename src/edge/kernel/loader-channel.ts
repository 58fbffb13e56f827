// Frames over the descriptor inherited from the loader: requests with their answers by sequence,
// and what the loader says by itself. The end of the stream is a fault: the daemon ends with it.
import { Socket } from 'node:net';
import type { MapWrite } from '../../core/policy/map-write.ts';
import { encodeFrame, FRAME, type Frame, FrameReader, RESENT } from '../../core/wire/frames.ts';
import {
  type ControlLine,
  decodeAck,
  decodeControl,
  decodeCounters,
  decodeHello,
  decodeStatuses,
  encodeApply,
  encodeControlReply,
  type Hello,
} from '../../core/wire/loader-messages.ts';

const NO_BYTES = new Uint8Array(0);

/** The loader said no to a request. */
export class LoaderRefusal extends Error {
  /** -errno */
  readonly status: number;

  constructor(what: string, status: number, index: number) {
    super(`the loader refused ${what}: error ${-status} at entry ${index}`);
    this.name = 'LoaderRefusal';
    this.status = status;
  }
}

/** What the loader says by itself. */
export interface LoaderListener {
  onHello(hello: Hello): void;
  /** As core/audit/identity.ts reads it; comes before the events and owners it speaks of. */
  onIdentities(bytes: Uint8Array): void;
  /** The events are forgotten by the loader when `written` is called. */
  onEvents(bytes: Uint8Array, resent: boolean, written: () => void): void;
  onControl(line: ControlLine): void;
  onNotice(notice: unknown): void;
  /** The channel is over; nothing more can be asked. */
  onEnd(why: string): void;
}

/** The daemon's side of the channel. */
export class LoaderChannel {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #waiting = new Map<number, (frame: Frame) => void>();
  readonly #listener: LoaderListener;
  #sequence = 0;

  constructor(fd: number, listener: LoaderListener) {
    this.#listener = listener;
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.on('data', (bytes: Uint8Array) => this.#take(bytes));
    this.#socket.on('error', (error) => listener.onEnd(error.message));
    this.#socket.on('close', () => listener.onEnd('the loader closed its channel'));
  }

  #take(bytes: Uint8Array): void {
    try {
      for (const frame of this.#reader.take(bytes)) this.#dispatch(frame);
    } catch (error) {
      this.#listener.onEnd(error instanceof Error ? error.message : String(error));
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.type) {
      case FRAME.HELLO:
        this.#listener.onHello(decodeHello(frame.payload));
        return;
      case FRAME.IDENTITIES:
        this.#listener.onIdentities(frame.payload);
        return;
      case FRAME.EVENTS: {
        const written = () => this.#send(FRAME.EVENTS_WRITTEN, frame.seq, NO_BYTES);
        this.#listener.onEvents(frame.payload, (frame.flags & RESENT) !== 0, written);
        return;
      }
      case FRAME.CONTROL:
        this.#listener.onControl(decodeControl(frame.payload));
        return;
      case FRAME.NOTICE:
        this.#listener.onNotice(JSON.parse(new TextDecoder().decode(frame.payload)));
        return;
      default: {
        const answer = this.#waiting.get(frame.seq);
        this.#waiting.delete(frame.seq);
        answer?.(frame);
      }
    }
  }

  /** What is sent in one turn leaves in one piece. */
  #send(type: number, seq: number, payload: Uint8Array): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(encodeFrame(type, seq, payload));
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  #ask(type: number, payload: Uint8Array): Promise<Uint8Array> {
    const seq = this.#next();
    return new Promise((resolve) => {
      this.#waiting.set(seq, (frame) => resolve(frame.payload));
      this.#send(type, seq, payload);
    });
  }

  async #askAck(what: string, type: number, payload: Uint8Array): Promise<void> {
    const { status, index } = decodeAck(await this.#ask(type, payload));
    if (status !== 0) throw new LoaderRefusal(what, status, index);
  }

  /** Resolves when the kernel has all of the writes; throws when it took none. */
  async apply(writes: readonly MapWrite[]): Promise<void> {
    if (writes.length > 0) await this.#askAck('map entries', FRAME.APPLY, encodeApply(writes));
  }

  /** From noting to audit or enforce; there is no way back. */
  async flip(mode: number): Promise<void> {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, mode, true);
    await this.#askAck('the mode', FRAME.FLIP, payload);
  }

  /** The reply to an owner key, see core/flow/owner.ts. */
  owner(key: Uint8Array): Promise<Uint8Array> {
    return this.#ask(FRAME.OWNER, key);
  }

  /** The open flows as parsed JSON. */
  async listFlows(): Promise<unknown> {
    return JSON.parse(new TextDecoder().decode(await this.#ask(FRAME.LIST_FLOWS, NO_BYTES)));
  }

  /** Ends open flows; 0 or -errno for each (`flows`: encodeOpenFlows). */
  async closeFlows(flows: Uint8Array): Promise<readonly number[]> {
    return decodeStatuses(await this.#ask(FRAME.CLOSE_FLOWS, flows));
  }

  /** Counters of the kernel's, by enum counter. */
  async counters(): Promise<readonly number[]> {
    return decodeCounters(await this.#ask(FRAME.GET_COUNTERS, NO_BYTES));
  }

  /** What was sent so far, see core/flow/traffic.ts. */
  traffic(): Promise<Uint8Array> {
    return this.#ask(FRAME.GET_TRAFFIC, NO_BYTES);
  }

  /** What the kernel holds of grants, see core/dns/grant-write.ts. */
  grants(): Promise<Uint8Array> {
    return this.#ask(FRAME.GET_GRANTS, NO_BYTES);
  }

  /** The loader's own proof of the wall; throws when its frame was not refused. */
  proveTc(): Promise<void> {
    return this.#askAck('the proof of the wall', FRAME.PROVE_TC, NO_BYTES);
  }

  /** From here on the programs outlive their loader. */
  pin(): Promise<void> {
    return this.#askAck('to pin the programs', FRAME.PIN, NO_BYTES);
  }

  /** One line on main's pipe. */
  stage(line: unknown): void {
    this.#send(FRAME.STAGE, this.#next(), new TextEncoder().encode(JSON.stringify(line)));
  }

  /** The last line on main's pipe: the start is over. */
  green(line: unknown): void {
    this.#send(FRAME.GREEN, this.#next(), new TextEncoder().encode(JSON.stringify(line)));
  }

  /** Answers a client of the control socket. */
  reply(client: number, line: unknown): void {
    this.#send(FRAME.CONTROL_REPLY, this.#next(), encodeControlReply(client, JSON.stringify(line)));
  }

  /** A sign of life; due every second. */
  heartbeat(): void {
    this.#send(FRAME.HEARTBEAT, this.#next(), NO_BYTES);
  }
}
