// Length-prefixed frames between loader and daemon, both directions, size-limited; the same numbers
// as bpf/loader/frame.h.

/** Header: u32 length of the payload, u16 type, u16 flags, u32 sequence, little-endian. */
export const FRAME_HEADER = 12;
/** Payload bytes a frame may have. */
export const FRAME_MAX = 8 * 1024 * 1024;
/** Flag of EVENTS: sent before; may already be in the log. */
export const RESENT = 1;

/** Types of frames; up to 31 from the loader, from 32 on to it. */
export const FRAME = {
  HELLO: 1,
  ACK: 2,
  EVENTS: 3,
  OWNER_REPLY: 4,
  FLOWS: 5,
  CONTROL: 6,
  COUNTERS: 7,
  NOTICE: 8,
  CLOSED: 9,
  TRAFFIC: 10,
  IDENTITIES: 11,
  GRANTS: 12,
  APPLY: 32,
  FLIP: 33,
  EVENTS_WRITTEN: 34,
  OWNER: 35,
  LIST_FLOWS: 36,
  CONTROL_REPLY: 37,
  GET_COUNTERS: 38,
  STAGE: 39,
  HEARTBEAT: 40,
  PROVE_TC: 41,
  PIN: 42,
  GREEN: 43,
  CLOSE_FLOWS: 44,
  GET_TRAFFIC: 45,
  GET_GRANTS: 46,
} as const;

/** One frame. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}

/** A frame that can't be one: the other side is broken, the channel ends. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** A frame's bytes; throws FrameError above FRAME_MAX. */
export function encodeFrame(type: number, seq: number, payload: Uint8Array): Uint8Array {
  if (payload.length > FRAME_MAX) {
    throw new FrameError(`a frame of ${payload.length} bytes, at most ${FRAME_MAX} are allowed`);
  }
  const bytes = new Uint8Array(FRAME_HEADER + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint16(4, type, true);
  view.setUint32(8, seq, true);
  bytes.set(payload, FRAME_HEADER);
  return bytes;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #size = 0;

  /** Takes the next bytes, returns the frames they complete; throws FrameError. */
  take(bytes: Uint8Array): readonly Frame[] {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#wanted()) return [];
    const all = this.#joined();
    const frames: Frame[] = [];
    let at = 0;
    while (all.length - at >= FRAME_HEADER) {
      const view = new DataView(all.buffer, all.byteOffset + at, all.length - at);
      const length = checkedLength(view.getUint32(0, true));
      const end = at + FRAME_HEADER + length;
      if (end > all.length) break;
      frames.push({
        type: view.getUint16(4, true),
        flags: view.getUint16(6, true),
        seq: view.getUint32(8, true),
        payload: all.subarray(at + FRAME_HEADER, end),
      });
      at = end;
    }
    this.#pieces = at < all.length ? [all.subarray(at)] : [];
    this.#size = all.length - at;
    return frames;
  }

  /** Bytes needed before anything can be cut: a large frame is joined once, not at every piece. */
  #wanted(): number {
    const [first] = this.#pieces;
    if (first === undefined || first.length < FRAME_HEADER) return FRAME_HEADER;
    return (
      FRAME_HEADER + checkedLength(new DataView(first.buffer, first.byteOffset).getUint32(0, true))
    );
  }

  #joined(): Uint8Array {
    const [only] = this.#pieces;
    if (only !== undefined && this.#pieces.length === 1) return only;
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

function checkedLength(length: number): number {
  if (length > FRAME_MAX) {
    throw new FrameError(`a frame of ${length} bytes, at most ${FRAME_MAX} are allowed`);
  }
  return length;
}
