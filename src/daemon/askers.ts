// Who asks: questions of one client that were read in one turn share one look-up. It leaves when all of
// them have been read, so that each is told by what the owner map said after it came.
import type { Asker, DnsClient, DnsClock } from './dns-ports.ts';

/** What look-ups of askers are made of. */
export interface AskersOptions {
  /** Asks the owner map; undefined when it does not know the client (any more). */
  readonly lookUp: (client: DnsClient) => Promise<Asker | undefined>;
  readonly clock: Pick<DnsClock, 'soon'>;
}

/** Looks up askers, once a turn for each client. */
export class Askers {
  readonly #options: AskersOptions;
  readonly #asking = new Map<string, Promise<Asker | undefined>>();

  constructor(options: AskersOptions) {
    this.#options = options;
  }

  /** The process behind a client; undefined when it is not known. */
  of(client: DnsClient): Promise<Asker | undefined> {
    const key = `${client.proto} ${client.port} ${client.address}`;
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking;
    const asked = this.#ask(key, client);
    this.#asking.set(key, asked);
    return asked;
  }

  async #ask(key: string, client: DnsClient): Promise<Asker | undefined> {
    const { lookUp, clock } = this.#options;
    await new Promise<void>((resolve) => clock.soon(resolve));
    this.#asking.delete(key);
    return lookUp(client);
  }
}
