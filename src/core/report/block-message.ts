// A block as the JSON of a webhook: `text` for chats that show it, the parts for programs.
import { destinationText } from './destination.ts';
import { sanitise } from './sanitise.ts';

/** Where it happened. */
export interface BlockedIn {
  readonly mode: 'audit' | 'enforce';
  readonly job: Readonly<
    Record<'repository' | 'workflow' | 'job' | 'runId' | 'runAttempt', string>
  >;
}

/** A destination that was refused, or in mode audit would have been. */
export interface BlockedDestination extends BlockedIn {
  /** Empty when no name is known. */
  readonly hostname: string;
  readonly ip: string;
  /** 0 for protocols without ports. */
  readonly port: number;
}

/** Chats read `<…>` as links and `&` as an entity. */
function plain(text: string): string {
  return sanitise(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The message's JSON. */
export function blockMessage({ hostname, ip, port, mode, job }: BlockedDestination): string {
  const destination = destinationText(hostname, ip, port);
  const did = mode === 'enforce' ? 'blocked' : 'would block';
  const where = [job.repository, job.workflow, job.job].filter((part) => part !== '').join(' / ');
  const address = hostname === '' || ip === '' ? '' : ` (${ip})`;
  const text = `cargowall ${did} ${plain(destination)}${plain(address)} in ${plain(where)}`;
  return JSON.stringify({
    text,
    event: mode === 'enforce' ? 'blocked' : 'would_deny',
    hostname,
    ip,
    port,
    mode,
    repository: job.repository,
    workflow: job.workflow,
    job: job.job,
    run_id: job.runId,
    run_attempt: job.runAttempt,
  });
}
