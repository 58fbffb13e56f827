// The daemon's part of the proof (spec 10): main says what it tried, the loader tries the wall, and
// the events of both must arrive. Fails closed: anything missing is a failed start.
import type { FlowEvent } from '../core/flow/flow-event.ts';
import { DECIDED_BY, LAYER } from '../core/flow/layout.gen.ts';

const WAIT_MS = 2000;

/** What the events must have shown. */
const WANTED = new Map<number, string>([
  [LAYER.CONNECT, 'a refused connect'],
  [LAYER.SENDMSG, 'a refused datagram'],
  [LAYER.TC, 'a refused frame'],
]);

/** Collects the events of the proof. */
export class ProofEvents {
  readonly #missing = new Map(WANTED);
  readonly #complete = Promise.withResolvers<void>();

  /** To be called with every event. */
  note(event: FlowEvent): void {
    if (event.by !== DECIDED_BY.PROOF || event.allowed) return;
    this.#missing.delete(event.layer);
    if (this.#missing.size === 0) this.#complete.resolve();
  }

  /** Resolves when all have arrived; throws what is missing after two seconds. */
  async complete(after: (ms: number) => Promise<void>): Promise<void> {
    const isComplete = await Promise.race([
      this.#complete.promise.then(() => true),
      after(WAIT_MS).then(() => false),
    ]);
    if (isComplete) return;
    throw new Error(`no event of ${[...this.#missing.values()].join(', nor of ')} arrived`);
  }
}

/** main's word about its attempts. */
export type ProofLine =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly why: string };

/** Reads a line of main's; undefined when it isn't about the proof. */
export function parseProofLine(line: string): ProofLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('proof' in value)) return undefined;
  if (value.proof === 'passed') return { kind: 'passed' };
  const why = 'why' in value && typeof value.why === 'string' ? value.why : 'no reason given';
  return { kind: 'failed', why };
}
