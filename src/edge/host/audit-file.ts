// The audit log: opened by the loader, append-only for us, inherited by descriptor.
import { openSync, readSync, writeSync } from 'node:fs';

const PIECE = 256 * 1024;

/**
 * Appends whole lines; throws the system's error when not all of them could be written. What a full
 * disk cut short is ended before the next line, so that only it is unreadable.
 */
export class AuditFile {
  readonly #fd: number;
  #isTorn = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  append(lines: string): void {
    const bytes = new TextEncoder().encode(this.#isTorn ? `\n${lines}` : lines);
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
      this.#isTorn = false;
    } catch (error) {
      this.#isTorn ||= at > 0;
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
