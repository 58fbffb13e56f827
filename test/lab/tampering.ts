// A guarded lab that root changes, and what is found of it.
import { expect } from 'vitest';
import { BPF } from './bpf.ts';
import { Guarded } from './guarded.ts';
import { until } from './lab.ts';
import { jobConnect } from './started.ts';

export const REFUSED = '198.51.100.20';

/** A frame of root's to the refused address, which only the wall sees. */
const FRAME = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 29, 0, 0, 9, 17, 0, bytes([192,0,2,2]), bytes([198,51,100,20]))
frame = bytes(6 * [255]) + bytes(6 * [2]) + b'\\x08\\0' + ip + struct.pack('!HHHH', 9, 9, 9, 0) + b'x'
try: s.send(frame); print('sent')
except OSError as e: print(e.strerror)
`;

export class Tampering {
  readonly guarded: Guarded;
  #log = '/run/cargowall/records/audit.jsonl';

  constructor(id: string) {
    this.guarded = new Guarded(id);
  }

  async open(): Promise<void> {
    await this.guarded.open();
    await this.guarded.guard({ allow: 'registry.example.com:443' });
  }

  /** What a script of root's prints, or why it ends. */
  asRoot(script: string): string {
    const { stdout, stderr, code } = this.guarded.run('/usr/bin/python3', '-c', `${BPF}${script}`);
    return code === 0 ? stdout.trim() : stderr.trim();
  }

  /** What a command of root's says of its failure. */
  root(...command: string[]): string {
    return this.guarded.run(...command).stderr;
  }

  /** Where the log is read from now on. */
  logIsAt(path: string): void {
    this.#log = path;
  }

  findings(): readonly string[] {
    const text = this.guarded.run('grep', '"tamper"', this.#log).stdout;
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).reason);
  }

  async foundSoon(words: string): Promise<void> {
    const since = Date.now();
    await until(() => this.findings().some((reason) => reason.includes(words)), `"${words}"`);
    expect(Date.now() - since).toBeLessThan(2000);
  }

  /** Waits for a finding for the time `times`, within two seconds. */
  async foundAgain(words: string, times: number): Promise<void> {
    const since = Date.now();
    const count = () => this.findings().filter((reason) => reason.includes(words)).length;
    await until(() => count() >= times, `"${words}" for the time ${times}`);
    expect(Date.now() - since).toBeLessThan(2000);
    expect(count()).toBe(times);
  }

  /** How a TCP connect of the job to a refused address ends: its errno, so that the hook is told apart. */
  refused(): string {
    return jobConnect(this.guarded.lab, REFUSED);
  }

  /** What a raw frame to a refused address comes to. */
  frame(): string {
    return this.guarded.run('/usr/bin/python3', '-c', FRAME).stdout.trim();
  }

  close(): void {
    this.guarded.close();
  }
}
