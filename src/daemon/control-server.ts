// What clients of the control socket may ask: how it stands, and a seal. Nothing ends enforcement.
import type { Totals } from '../core/audit/event.ts';
import type { ControlLine } from '../core/wire/loader-messages.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { FlowPipeline } from './flow-pipeline.ts';
import type { ControlReplies, CounterReader } from './ports.ts';
import type { Questions } from './questions.ts';
import { Seals } from './seals.ts';
import { losses, type Sources, sessionEnded, tamper } from './session-records.ts';
import type { TrafficWatch } from './traffic-watch.ts';

/** What the control server is made of. */
export interface ControlServerOptions {
  readonly loader: CounterReader & ControlReplies;
  readonly mode: 'audit' | 'enforce';
  readonly pid: number;
  readonly logger: AuditLogger;
  readonly pipeline: FlowPipeline;
  readonly identities: Sources['identities'];
  readonly questions: Pick<Questions, 'flush'> & Sources['questions'];
  readonly proxy: Sources['proxy'];
  readonly lateAllow: Sources['lateAllow'];
  readonly notifications: Sources['notifications'];
  readonly traffic: TrafficWatch;
  readonly nowMs: () => number;
  readonly after: (ms: number) => Promise<void>;
  readonly timestamp: () => string;
}

/** How long a seal waits for notifications on their way; what is left is counted. */
const LAST_NOTIFICATIONS_MS = 2000;

function commandOf(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('command' in value)) return undefined;
    return typeof value.command === 'string' ? value.command : undefined;
  } catch {
    // Said below, like every other line that is no request.
  }
  return undefined;
}

/** What a seal has written, as it is answered. */
interface Sealed {
  readonly totals: Totals;
  readonly lost: Totals;
}

/** The same process is recorded once, and the last one recorded says that there may be more. */
const STRANGE_MAX = 16;

/** Answers the clients of the control socket. */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #seals: Seals<Sealed>;
  readonly #strange = new Set<number>();

  constructor(options: ControlServerOptions) {
    const { nowMs, after } = options;
    this.#options = options;
    this.#seals = new Seals({ write: () => this.#writeSeal(), nowMs, after });
  }

  /** Answers one line. */
  async answer({ client, line, peer }: ControlLine): Promise<void> {
    const { loader, mode, pid } = this.#options;
    const command = commandOf(line);
    if (command === 'status') {
      const { logger } = this.#options;
      const lost = losses(await this.#sources());
      loader.reply(client, { running: true, mode, pid, totals: logger.totals(), lost });
    } else if (command === 'seal') {
      await this.#lastNotifications();
      loader.reply(client, { sealed: true, mode, pid, ...(await this.#seals.seal()) });
    } else {
      this.#recordStrange(peer);
      const error = 'unknown request: send {"command":"status"} or {"command":"seal"}';
      loader.reply(client, { error });
    }
  }

  /** Everything that is held as numbers is written before sums are taken. */
  async #sources(): Promise<Sources> {
    const { loader, pipeline, questions } = this.#options;
    pipeline.flush();
    questions.flush();
    return { ...this.#options, kernel: await loader.counters() };
  }

  async #lastNotifications(): Promise<void> {
    const { notifications, after } = this.#options;
    if (notifications === undefined) return;
    await Promise.race([notifications.idle(), after(LAST_NOTIFICATIONS_MS)]);
  }

  async #writeSeal(): Promise<Sealed> {
    const { logger, mode, traffic, timestamp } = this.#options;
    const sources = await this.#sources();
    const sent = await traffic.read();
    logger.logEvents(sent);
    const bytesOut = sent.reduce((sum, { bytes_out }) => sum + bytes_out, 0);
    const record = sessionEnded(timestamp(), mode, sources, { bytesOut, seals: this.#seals.asked });
    logger.logEvent(record);
    const { totals, lost } = record;
    return { totals, lost: { ...lost, records: logger.lost } };
  }

  #recordStrange({ uid, pid }: ControlLine['peer']): void {
    const { logger, timestamp } = this.#options;
    if (this.#strange.has(pid) || this.#strange.size === STRANGE_MAX) return;
    this.#strange.add(pid);
    const more = this.#strange.size === STRANGE_MAX ? '; what comes from now on is not told' : '';
    const what = `process ${pid} of user ${uid} sent the control socket what is no status or seal`;
    logger.logEvent(tamper(timestamp(), `${what}${more}`));
  }
}
