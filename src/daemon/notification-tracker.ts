// One notification a destination (spec 8, the contract's NotificationTracker). Sends in the
// background, one at a time; a failed send frees the key, so that the next block or a timer tries
// again. What can't be sent is counted.
import type { AuditEvent } from '../core/audit/event.ts';

/** Whoever is told of blocks. */
export interface StateMachineClient {
  /** Resolves when the receiver has taken it; throws otherwise. Port 0: none. */
  sendCargoWallBlockNotification(hostname: string, ip: string, port: number): Promise<void>;
}

/** One-shot timers; the timer keeps nothing alive. */
export interface NotificationClock {
  after(ms: number): Promise<void>;
}

const MAX_KEYS = 10_000;
const MAX_TRIES = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

interface Destination {
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  /** `freed`: the last try failed, the next block or the timer tries again. */
  state: 'waiting' | 'done' | 'freed' | 'failed';
  tries: number;
}

function keyOf(hostname: string, ip: string, port: number): string {
  return `${hostname === '' ? ip : hostname.toLowerCase()}:${port}`;
}

/** Tells of a refused connection or protocol that is neither the proof's nor expected. */
export function notifyOf(record: AuditEvent, tracker: NotificationTracker | undefined): void {
  if (tracker === undefined || record.reason === 'proof' || record.expected === true) return;
  const { dst_hostname: host = '', dst_ip: ip = '', dst_port: port = 0 } = record;
  if (record.event_type === 'connection_blocked') tracker.sendNotification(host, ip, port);
  else if (record.event_type === 'protocol_blocked') tracker.sendNotification(host, ip, 0);
}

/** Notifies of each destination once. */
export class NotificationTracker {
  readonly #client: StateMachineClient;
  readonly #clock: NotificationClock;
  readonly #destinations = new Map<string, Destination>();
  readonly #queue: Destination[] = [];
  #sending: Promise<void> | undefined;
  #failed = 0;
  #dropped = 0;

  constructor(client: StateMachineClient, clock: NotificationClock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Destinations nobody could be told of after five tries. */
  get failed(): number {
    return this.#failed;
  }

  /** Notifications of destinations beyond the 10,000 that are remembered. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Destinations whose notification has not left yet. */
  get pending(): number {
    let pending = 0;
    for (const { state } of this.#destinations.values()) {
      if (state === 'waiting' || state === 'freed') pending++;
    }
    return pending;
  }

  /** Tells of a block unless its destination is known; never waits. Empty `hostname`: unknown. */
  sendNotification(hostname: string, ip: string, port: number): void {
    const key = keyOf(hostname, ip, port);
    const known = this.#destinations.get(key);
    if (known !== undefined) {
      if (known.state === 'freed') this.#enqueue(known);
      return;
    }
    if (this.#destinations.size >= MAX_KEYS) {
      this.#dropped++;
      return;
    }
    const fresh: Destination = { hostname, ip, port, state: 'waiting', tries: 0 };
    this.#destinations.set(key, fresh);
    this.#enqueue(fresh);
  }

  /** Resolves when nothing is being sent; what waits for its next try is not waited for. */
  async idle(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  #enqueue(destination: Destination): void {
    destination.state = 'waiting';
    this.#queue.push(destination);
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#send(next);
    }
  }

  async #send(destination: Destination): Promise<void> {
    const { hostname, ip, port } = destination;
    destination.tries++;
    try {
      await this.#client.sendCargoWallBlockNotification(hostname, ip, port);
      destination.state = 'done';
    } catch {
      this.#free(destination);
    }
  }

  #free(destination: Destination): void {
    const { tries } = destination;
    if (tries >= MAX_TRIES) {
      destination.state = 'failed';
      this.#failed++;
      return;
    }
    destination.state = 'freed';
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
    void this.#clock.after(wait).then(() => {
      if (destination.state === 'freed' && destination.tries === tries) this.#enqueue(destination);
    });
  }
}
