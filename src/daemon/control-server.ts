// What clients of the control socket may ask: how it stands, and a seal. Nothing ends enforcement.
import type { ControlLine } from '../core/wire/loader-messages.ts';
import type { AuditLogger } from './audit-logger.ts';
import type { FlowPipeline } from './flow-pipeline.ts';
import type { ControlReplies, CounterReader } from './ports.ts';
import type { Questions } from './questions.ts';
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
  readonly questions: Pick<Questions, 'flush' | 'unusualNames'>;
  readonly proxy: Sources['proxy'];
  readonly lateAllow: Sources['lateAllow'];
  readonly notifications: Sources['notifications'];
  readonly traffic: TrafficWatch;
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

/** The same process is recorded once, and the last one recorded says that there may be more. */
const STRANGE_MAX = 16;
const strange = new Set<number>();

function recordStrange({ peer }: ControlLine, { logger, timestamp }: ControlServerOptions): void {
  const { uid, pid } = peer;
  if (strange.has(pid) || strange.size === STRANGE_MAX) return;
  strange.add(pid);
  const more = strange.size === STRANGE_MAX ? '; what comes from now on is not told' : '';
  const what = `process ${pid} of user ${uid} sent the control socket what is no status or seal`;
  logger.logEvent(tamper(timestamp(), `${what}${more}`));
}

/** Answers one line. */
export async function answerControl(
  request: ControlLine,
  options: ControlServerOptions,
): Promise<void> {
  const { client, line } = request;
  const { loader, logger, pipeline, identities, questions, proxy, lateAllow } = options;
  const { notifications, traffic, mode, pid } = options;
  const command = commandOf(line);
  if (command !== 'status' && command !== 'seal') {
    recordStrange(request, options);
    loader.reply(client, {
      error: 'unknown request: send {"command":"status"} or {"command":"seal"}',
    });
    return;
  }
  pipeline.flush();
  questions.flush();
  if (command === 'seal' && notifications !== undefined) {
    await Promise.race([notifications.idle(), options.after(LAST_NOTIFICATIONS_MS)]);
  }
  const kernel = await loader.counters();
  const parts = { pipeline, identities, questions, proxy, lateAllow, notifications, traffic };
  const sources = { logger, kernel, ...parts };
  if (command === 'status') {
    loader.reply(client, {
      running: true,
      mode,
      pid,
      totals: logger.totals(),
      lost: losses(sources),
    });
    return;
  }
  const sent = await traffic.read();
  logger.logEvents(sent);
  const bytesOut = sent.reduce((sum, { bytes_out }) => sum + bytes_out, 0);
  const record = sessionEnded(options.timestamp(), mode, sources, bytesOut);
  logger.logEvent(record);
  const { totals, lost } = record;
  loader.reply(client, {
    sealed: true,
    mode,
    pid,
    totals,
    lost: { ...lost, records: logger.lost },
  });
}
