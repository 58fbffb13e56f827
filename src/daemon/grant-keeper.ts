// Grants on their way to the kernel. I2: what an answer opens is acknowledged before the answer
// leaves; an extension of what is open is not waited for. What comes in one turn goes in one batch.
// A loader that stands still holds no answer back: it fails instead, whatever the kernel is told later.
import type { KernelGrant } from '../core/dns/grant-write.ts';
import type { GrantChange, GrantRequest, Grants } from '../core/dns/grants.ts';
import type { MapWrite } from '../core/policy/map-write.ts';
import type { DnsClock, GrantSink } from './dns-ports.ts';

/** Writes in one batch: well below a frame's limit. */
const MAX_BATCH = 4096;

/** How long an answer waits for the kernel's word. */
export const KERNEL_WORD_MS = 1500;

/** What the kernel refused. */
type Refused = ReadonlySet<GrantChange>;

/** Changes that go to the kernel together. */
interface Batch {
  readonly changes: GrantChange[];
  readonly writes: MapWrite[];
  /** What was refused of this batch, and of openings that were on their way when it began. */
  readonly done: Promise<Refused>;
  /** Resolves when nobody waits for the kernel any more. */
  readonly late: Promise<void>;
  readonly send: () => void;
}

/** Keeps the kernel in step with the grants and counts what it refused. */
export class GrantKeeper {
  readonly #grants: Grants;
  readonly #sink: GrantSink;
  readonly #clock: DnsClock;
  /** Not sent yet. */
  #next: Batch | undefined;
  /** The last batch with an opening that is not acknowledged; the loader keeps the order. */
  #opening: Batch | undefined;
  /** Openings the kernel has said nothing about. */
  readonly #unacknowledged = new Set<GrantChange>();
  #refused = 0;

  constructor(grants: Grants, sink: GrantSink, clock: DnsClock) {
    this.#grants = grants;
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Changes the kernel refused: their answers were SERVFAIL, or extensions were lost. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Resolves when the kernel admits all the request says, to whether it opened anything; throws when
   * the kernel refuses, or says nothing.
   */
  async open(request: GrantRequest): Promise<boolean> {
    const change = this.#grants.grant(request);
    if (change.writes.length > 0) this.#add(change);
    // An answer that opens nothing may stand on an opening of somebody else's.
    if (this.#opening === undefined) return false;
    const refused = await Promise.race([this.#opening.done, this.#opening.late]);
    if (refused === undefined) {
      if (!standsOn(change, this.#unacknowledged)) return false;
      throw new Error('the kernel has not taken a grant in time');
    }
    if (refused.size > 0 && standsOn(change, refused)) {
      throw new Error('the kernel refused a grant');
    }
    return change.opens;
  }

  #add(change: GrantChange): void {
    const batch = this.#next ?? this.#newBatch();
    if (change.opens) {
      this.#opening = batch;
      this.#unacknowledged.add(change);
    }
    batch.changes.push(change);
    for (const write of change.writes) batch.writes.push(write);
    if (batch.writes.length >= MAX_BATCH) batch.send();
  }

  #newBatch(): Batch {
    const sent = Promise.withResolvers<void>();
    const changes: GrantChange[] = [];
    const writes: MapWrite[] = [];
    const before = this.#opening?.done;
    const done = sent.promise.then(() => this.#apply(changes, writes, before));
    const send = () => {
      if (this.#next === batch) this.#next = undefined;
      sent.resolve();
    };
    const late = this.#clock.after(KERNEL_WORD_MS);
    const batch = { changes, writes, done, late, send };
    void done.then(() => {
      for (const change of changes) this.#unacknowledged.delete(change);
      if (this.#opening === batch) this.#opening = undefined;
    });
    this.#next = batch;
    this.#clock.soon(send);
    return batch;
  }

  /** Never rejects. */
  async #apply(
    changes: readonly GrantChange[],
    writes: readonly MapWrite[],
    before: Promise<Refused> | undefined,
  ): Promise<Refused> {
    const refused = new Set<GrantChange>();
    try {
      await this.#sink.apply(writes);
    } catch {
      // All or nothing: one by one then, so that each answer depends on its own grants.
      for (const change of changes) {
        if (changes.length > 1 && (await this.#isTaken(change))) continue;
        refused.add(change);
        this.#refused++;
        this.#applyQuietly(change.undo(this.#clock.nowMs()));
      }
    }
    for (const change of (await before) ?? []) refused.add(change);
    return refused;
  }

  async #isTaken(change: GrantChange): Promise<boolean> {
    try {
      await this.#sink.apply(change.writes);
      return true;
    } catch {
      return false;
    }
  }

  #applyQuietly(writes: readonly MapWrite[]): void {
    for (let at = 0; at < writes.length; at += MAX_BATCH) {
      this.#sink.apply(writes.slice(at, at + MAX_BATCH)).catch(() => {
        this.#refused++;
      });
    }
  }

  /** Takes over what an earlier daemon has given. */
  takeOver(given: readonly KernelGrant[]): void {
    this.#applyQuietly(this.#grants.takeOver(given, this.#clock.nowMs()));
  }

  /** Deletes what has expired; the kernel ignores it already, so nothing waits. */
  sweep(): void {
    this.#applyQuietly(this.#grants.sweep(this.#clock.nowMs()));
  }
}

/** Whether one of `others` opens what the change is about. */
function standsOn(change: GrantChange, others: ReadonlySet<GrantChange>): boolean {
  return [...others].some((other) => other.states.some((state) => change.states.includes(state)));
}
