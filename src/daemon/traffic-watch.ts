// What was sent so far, asked of the loader: large uploads are recorded as they happen, all totals at a
// seal.
import type { Traffic } from '../core/audit/event.ts';
import {
  hostOf,
  largeUploads,
  type TrafficKnowledge,
  trafficRecords,
} from '../core/audit/traffic.ts';
import { decodeTraffic } from '../core/flow/traffic.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { TrafficReader } from './ports.ts';

/** What the watch is made of. */
export interface TrafficWatchOptions {
  readonly loader: TrafficReader;
  readonly logger: AuditLogger;
  readonly knowledge: TrafficKnowledge;
  /** Hosts whose large uploads are in the log already. */
  readonly told: ReadonlySet<string>;
  readonly timestamp: () => string;
}

/** Bytes sent, by destination. */
export class TrafficWatch {
  readonly #options: TrafficWatchOptions;
  readonly #told: Set<string>;
  #unvisited = 0;
  #asking = false;

  constructor(options: TrafficWatchOptions) {
    this.#options = options;
    this.#told = new Set(options.told);
  }

  /** Times open sockets could not be asked: what they had sent since they last told was missing. */
  get unvisited(): number {
    return this.#unvisited;
  }

  /** Records hosts that the job has newly sent more than the threshold; to be called every few seconds. */
  async look(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      await this.read();
    } finally {
      this.#asking = false;
    }
  }

  /** The records of all totals, for a seal; large uploads are recorded on the way. */
  async read(): Promise<readonly Traffic[]> {
    const { loader, logger, knowledge, timestamp } = this.#options;
    const { status, totals } = decodeTraffic(await loader.traffic());
    if (status !== 0) this.#unvisited++;
    const records = trafficRecords(totals, knowledge, timestamp());
    const large = largeUploads(records, timestamp()).filter((one) => !this.#told.has(hostOf(one)));
    for (const one of large) this.#told.add(hostOf(one));
    logger.logEvents(large);
    return records;
  }
}
