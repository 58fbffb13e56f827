// Messages on a DNS stream: each behind a two-byte length, several in a segment or one over many
// (RFC 1035 4.2.2, RFC 7766 8).

const LENGTH_SIZE = 2;

/** Cuts messages out of a stream; holds at most one unfinished message of 64 KiB. */
export class DnsStream {
  /** Pieces of the unfinished message, put together once it is whole. */
  #pieces: Uint8Array[] = [];
  #size = 0;
  /** Bytes needed before anything can be cut: a length, or a length and its message. */
  #needed = LENGTH_SIZE;

  /** Takes the next bytes and returns the messages they finish. */
  take(bytes: Uint8Array): readonly Uint8Array[] {
    this.#pieces.push(bytes.slice());
    this.#size += bytes.length;
    if (this.#size < this.#needed) return [];
    const all = this.#joined();
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at + LENGTH_SIZE <= all.length) {
      const end = at + LENGTH_SIZE + lengthAt(all, at);
      if (end > all.length) break;
      messages.push(all.slice(at + LENGTH_SIZE, end));
      at = end;
    }
    const rest = all.slice(at);
    this.#pieces = [rest];
    this.#size = rest.length;
    this.#needed = rest.length < LENGTH_SIZE ? LENGTH_SIZE : LENGTH_SIZE + lengthAt(rest, 0);
    return messages;
  }

  #joined(): Uint8Array {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** A message behind its length, in one piece so that it leaves in one segment. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(message.length + 2);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, 2);
  return frame;
}
