// Audit mode and the time before the flip: the client's own question goes out, the upstream's own
// answer comes back, unchanged but for the id (spec 7). Grants and learned names are kept exactly
// as enforce keeps them, so that would_deny is what enforce would do.
import { withId } from '../core/dns/answer.ts';
import { decodeResponse, type Query, type Response } from '../core/dns/message.ts';
import type { DnsClient } from './dns-ports.ts';
import type { KnownQuestion, NameJudge } from './name-judge.ts';
import type { Upstreams } from './upstreams.ts';

/** A forwarded answer, and why enforce would have emptied it. */
export interface Forwarded {
  readonly reply: Uint8Array;
  readonly emptied: string | undefined;
}

interface Asked {
  readonly message: Uint8Array;
  readonly query: Query;
  readonly client: DnsClient;
  readonly known: KnownQuestion;
}

function readable(reply: Uint8Array): Response | undefined {
  try {
    return decodeResponse(reply);
  } catch {
    return undefined; // Returned unchanged all the same; it opens nothing.
  }
}

function addressesOf(response: Response) {
  return response.answers.flatMap(({ data }) => (data.kind === 'address' ? [data.address] : []));
}

/** A grant the kernel refuses is counted by its keeper; audit answers all the same. */
async function keepAsEnforce(known: KnownQuestion, response: Response, judge: NameJudge) {
  if (known.decision.kind !== 'answer') {
    judge.noteAnswer(known, addressesOf(response));
    return undefined;
  }
  const judged = judge.judge(known, response, 0);
  if (judged.kind !== 'answer') return undefined;
  await judge.admit(known, judged).catch(() => undefined);
  return judged.emptied;
}

/** Forwards one message; errors: UpstreamError when no upstream answers. */
export async function forwardUnchanged(
  asked: Asked,
  upstreams: Pick<Upstreams, 'forward'>,
  judge: NameJudge,
): Promise<Forwarded> {
  const reply = withId(await upstreams.forward(asked.message, asked.client.proto), asked.query.id);
  const response = readable(reply);
  if (response === undefined || response.truncated) return { reply, emptied: undefined };
  return { reply, emptied: await keepAsEnforce(asked.known, response, judge) };
}
