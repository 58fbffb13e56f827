// A lab under the real daemon: loader, programs and daemon as shipped, main's part played here.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { type Internet, startInternet } from './internet.ts';
import { Lab, line, type Result, until } from './lab.ts';
import { aSession, type SessionWishes } from './session.ts';
import { loaderArguments, startWorker } from './started.ts';

const PROVE = resolve('test/lab/prove.ts');

/** A lab whose wall stands. */
export class Guarded {
  readonly lab: Lab;
  #folder = '';
  #internet: Internet | undefined;
  /** Plays the runner's worker from `guard` on: runs the lines of Python it is sent. */
  worker: ChildProcess | undefined;

  constructor(id: string) {
    this.lab = new Lab(id);
  }

  /** What the internet has heard so far. */
  get heard(): readonly string[] {
    return this.#internet?.heard() ?? [];
  }

  /** The CA of the internet's servers, a PEM file. */
  get ca(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** A folder the internet's servers serve as a host's root. */
  site(host: string): string {
    const folder = join(this.#folder, 'www', host);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Opens lab and internet; the wall comes with `guard`. */
  async open(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'cargowall-guarded-'));
    await this.lab.open();
    this.#internet = await startInternet(this.lab, this.#folder);
    const path = join(this.#folder, 'resolv.conf');
    writeFileSync(path, 'nameserver 192.0.2.53\n');
    this.lab.run('mount', '--bind', path, '/etc/resolv.conf');
  }

  /**
   * Starts a session, proves it as main does, and waits for green; what the loader said. `beforeProof` is done
   * behind the flip, while the maps still take writes.
   */
  async guard(
    wishes: SessionWishes,
    changed: Readonly<Record<string, string>> = {},
    beforeProof: () => Promise<void> = () => Promise.resolve(),
  ): Promise<readonly string[]> {
    const { lab } = this;
    const worker = await startWorker(lab);
    this.worker = worker;
    const options = { '--daemon': resolve('build/dist/daemon'), ...changed };
    const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0, options));
    const said: string[] = [];
    loader.stdout?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    loader.stdin?.write(`${JSON.stringify(aSession(wishes))}\n`);
    const flipped = await line(loader, '"flipped"');
    await beforeProof();
    const proved = lab.run(process.execPath, PROVE, flipped);
    if (proved.code !== 0) throw new Error(`the proof: ${proved.stdout}${proved.stderr}`);
    loader.stdin?.write(proved.stdout);
    await line(loader, '"green"');
    return said.join('').split('\n');
  }

  /** Runs a command of the job, with the lab's resolver configuration. */
  run(...command: string[]): Result {
    return this.lab.run(...command);
  }

  /** The events so far, proof left out; waits until `isComplete` holds. */
  async events(
    isComplete: (events: readonly AuditEvent[]) => boolean = () => true,
  ): Promise<readonly AuditEvent[]> {
    let events: readonly AuditEvent[] = [];
    const read = () => {
      const text = this.lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
      events = decodeLog(text).records.filter(
        (record): record is AuditEvent =>
          /_(blocked|allowed|connection)$/.test(record.event_type) &&
          !('reason' in record && record.reason === 'proof'),
      );
      return isComplete(events);
    };
    await until(read, 'the records');
    return events;
  }

  close(): void {
    this.lab.close();
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
  }
}
