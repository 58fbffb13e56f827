// The runner's talk with its service, through the wall: a flow that was open before main, a renewal
// over a fresh connection every two seconds, uploads of logs. Failures are counted, never hidden.
import { Agent, request } from 'node:https';
import type { RunResult } from './plan.ts';

const HOST = 'results-receiver.actions.githubusercontent.com';
const STORE = 'productionresultssa7.blob.core.windows.net';
const EVERY_MS = 2000;
const TIMEOUT_MS = 5000;

type Counts = RunResult['service'];

function call(
  host: string,
  method: string,
  path: string,
  agent: Agent | false,
  content = '',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, method, path, agent, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.on('end', () => resolve());
    });
    sent.on('timeout', () => sent.destroy(new Error('timed out')));
    sent.on('error', reject);
    sent.end(content);
  });
}

export class Service {
  readonly counts: Counts = {
    renewals: { ok: 0, failed: [] },
    pings: { ok: 0, failed: [] },
    uploads: { ok: 0, failed: [] },
  };
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 1 });
  #timer: NodeJS.Timeout | undefined;

  async #count(kind: keyof Counts, what: Promise<void>): Promise<void> {
    try {
      await what;
      this.counts[kind].ok++;
    } catch (error) {
      this.counts[kind].failed.push(String(error));
    }
  }

  async #beat(): Promise<void> {
    await Promise.all([
      this.#count('pings', call(HOST, 'GET', '/ping', this.#kept)),
      this.#count('renewals', call(HOST, 'GET', '/renew', false)),
    ]);
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => void this.#beat(), EVERY_MS);
  }

  upload(name: string, content: string): Promise<void> {
    return this.#count('uploads', call(STORE, 'PUT', `/logs/${name}`, false, content));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beat();
    this.#kept.destroy();
  }
}
