// The webhook as a client of notifications: one JSON message a destination, over a connection that
// only the daemon's own cgroup is granted.
import type { Address } from '../core/net/address.ts';
import { blockMessage } from '../core/report/block-message.ts';
import type { JobFacts, SessionMode } from '../core/wire/session.ts';
import type { StateMachineClient } from './notification-tracker.ts';

/** What the webhook needs of the rest of the daemon and of the world. */
export interface WebhookParts {
  readonly url: string;
  readonly mode: SessionMode;
  readonly job: JobFacts;
  /** Looks the host up and opens it to the daemon on this TCP port; throws when it can't. */
  readonly reach: (host: string, port: number) => Promise<readonly Address[]>;
  /** Posts JSON to one of the addresses; throws unless the answer is 2xx. */
  readonly post: (url: URL, addresses: readonly Address[], body: string) => Promise<void>;
}

/** The port of a URL. */
function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** The client that posts to `notify-url`. */
export class WebhookClient implements StateMachineClient {
  readonly #parts: WebhookParts;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  async sendCargoWallBlockNotification(hostname: string, ip: string, port: number): Promise<void> {
    const { mode, job, reach, post } = this.#parts;
    const url = new URL(this.#parts.url);
    const host = url.hostname.replace(/^\[|\]$/gu, '');
    const addresses = await reach(host, portOf(url));
    await post(url, addresses, blockMessage({ hostname, ip, port, mode, job }));
  }
}
