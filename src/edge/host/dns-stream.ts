// Messages on a DNS stream: each behind a two-byte length, several in a segment or one over many
// (RFC 1035 4.2.2, RFC 7766 8).

/** Cuts messages out of a stream; holds at most one unfinished message of 64 KiB. */
export class DnsStream {
  #held: Uint8Array = new Uint8Array(0);

  /** Takes the next bytes and returns the messages they finish. */
  take(bytes: Uint8Array): readonly Uint8Array[] {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at + 2 <= all.length) {
      const size = ((all[at] ?? 0) << 8) | (all[at + 1] ?? 0);
      if (at + 2 + size > all.length) break;
      messages.push(all.slice(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#held = all.slice(at);
    return messages;
  }
}

/** A message behind its length, in one piece so that it leaves in one segment. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(message.length + 2);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, 2);
  return frame;
}
