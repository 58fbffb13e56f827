// Who may hold connections to the proxy over TCP, and how many: runner processes always have room, and no
// process can take all of the others'. What is refused is counted.
import { SCOPE } from '../core/flow/layout.gen.ts';
import type { Asker, DnsClient } from './dns-ports.ts';

const MOST_OF_RUNNER = 128;
const MOST_OF_OTHERS = 256;
const MOST_OF_PROCESS = 64;

/** Room for connections; each is taken until its `leave` is called. */
export class StreamRoom {
  /** Connections there was no room for. */
  refused = 0;
  readonly #askerOf: (client: DnsClient) => Promise<Asker | undefined>;
  readonly #byProcess = new Map<number, number>();
  #ofRunner = 0;
  #ofOthers = 0;

  constructor(askerOf: (client: DnsClient) => Promise<Asker | undefined>) {
    this.#askerOf = askerOf;
  }

  /** Takes room for a connection and returns what gives it back; undefined: there is none. */
  async admit(client: DnsClient): Promise<(() => void) | undefined> {
    const asker = await this.#askerOf(client);
    const leave =
      asker?.scope === SCOPE.RUNNER ? this.#takeOfRunner() : this.#take(asker?.pid ?? 0);
    if (leave === undefined) this.refused++;
    return leave;
  }

  #takeOfRunner(): (() => void) | undefined {
    if (this.#ofRunner >= MOST_OF_RUNNER) return undefined;
    this.#ofRunner++;
    return () => {
      this.#ofRunner--;
    };
  }

  /** `pid` 0: the processes nobody knows, as one. */
  #take(pid: number): (() => void) | undefined {
    const held = this.#byProcess.get(pid) ?? 0;
    if (this.#ofOthers >= MOST_OF_OTHERS || held >= MOST_OF_PROCESS) return undefined;
    this.#ofOthers++;
    this.#byProcess.set(pid, held + 1);
    return () => {
      this.#ofOthers--;
      const left = (this.#byProcess.get(pid) ?? 1) - 1;
      if (left === 0) this.#byProcess.delete(pid);
      else this.#byProcess.set(pid, left);
    };
  }
}
