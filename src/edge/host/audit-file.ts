// The audit log: opened by the loader, append-only for us, inherited by descriptor.
import { openSync, readSync, writeSync } from 'node:fs';

const PIECE = 256 * 1024;

const encoder = new TextEncoder();

/**
 * Appends whole lines; throws the system's error when not all of them could be written. What a full
 * disk cut short is ended before the next line, so that only it is unreadable.
 */
export class AuditFile {
  readonly #fd: number;
  /** Where lines become bytes: used again, for a batch's would be garbage by the megabyte. */
  readonly #room = new Uint8Array(PIECE);
  #isTorn = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  append(lines: string): void {
    let rest = this.#isTorn ? `\n${lines}` : lines;
    let hasWritten = false;
    try {
      while (rest !== '') {
        const { read, written } = encoder.encodeInto(rest, this.#room);
        for (let at = 0; at < written; hasWritten = true) {
          at += writeSync(this.#fd, this.#room, at, written - at);
        }
        rest = rest.slice(read);
      }
      this.#isTorn = false;
    } catch (error) {
      this.#isTorn ||= hasWritten;
      throw error;
    }
  }
}

/** Calls `onLine` with every whole line of a file, piece by piece. */
export function readLines(path: string, onLine: (line: string) => void): void {
  const fd = openSync(path, 'r');
  const piece = new Uint8Array(PIECE);
  const decoder = new TextDecoder();
  let rest = '';
  for (let size = readSync(fd, piece); size > 0; size = readSync(fd, piece)) {
    const lines = (rest + decoder.decode(piece.subarray(0, size), { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  }
}
