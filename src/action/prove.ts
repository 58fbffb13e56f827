// main's part of the proof (spec 10): itself a process of the job, it tries what must be refused,
// and one thing that must be let through. Fails closed: any other outcome is no proof.
import { encodeQuestion } from '../core/dns/answer.ts';
import { RCODE, TYPE } from '../core/dns/codes.ts';
import { decodeResponse, type Response } from '../core/dns/message.ts';
import { printAddress } from '../core/net/address.ts';
import type { Attempts } from './ports.ts';

const REFUSED = '203.0.113.252';
const REFUSED_V6 = '2001:db8::fffd';
const RESOLVER = '203.0.113.253';
const CANARY = '203.0.113.254';
const PORT = 443;

/** What the daemon says is to be proved. */
export interface ProofNames {
  readonly refused: string;
  readonly granted: string;
  readonly ipv6: boolean;
}

/** One attempt: what was tried, what came of it and what was expected. */
export interface Attempt {
  readonly what: string;
  readonly outcome: string;
  readonly expected: string;
}

async function ask(attempts: Attempts, name: string): Promise<Response | string> {
  const reply = await attempts.ask(RESOLVER, encodeQuestion(name, TYPE.A));
  if (reply === undefined) return 'no answer';
  try {
    return decodeResponse(reply);
  } catch {
    return 'an answer that is none';
  }
}

function rcodeOf(response: Response | string): string {
  return typeof response === 'string' ? response : `response code ${response.rcode}`;
}

function addressOf(response: Response | string): string {
  if (typeof response === 'string') return response;
  const found = response.answers.flatMap(({ data }) =>
    data.kind === 'address' ? [printAddress(data.address)] : [],
  );
  return found.join(' ') || `response code ${response.rcode}`;
}

/** All attempts; the granted one comes last, since its grant is made by the question before it. */
export async function tryProof(names: ProofNames, attempts: Attempts): Promise<readonly Attempt[]> {
  const refused = 'EPERM';
  const addresses = names.ipv6 ? [REFUSED, REFUSED_V6] : [REFUSED];
  const direct = await Promise.all(
    addresses.flatMap((address) => [
      attempts
        .connect(address, PORT)
        .then((outcome) => ({ what: `connect to ${address}`, outcome, expected: refused })),
      attempts
        .send(address, PORT)
        .then((outcome) => ({ what: `datagram to ${address}`, outcome, expected: refused })),
    ]),
  );
  const [no, yes] = await Promise.all([ask(attempts, names.refused), ask(attempts, names.granted)]);
  return [
    ...direct,
    {
      what: 'question for a name that is not allowed',
      outcome: rcodeOf(no),
      expected: `response code ${RCODE.REFUSED}`,
    },
    { what: 'question for an allowed name', outcome: addressOf(yes), expected: CANARY },
    {
      what: 'connect to the allowed name',
      outcome: await attempts.connect(CANARY, PORT),
      expected: 'connected',
    },
  ];
}

/** The line for the daemon: passed, or the first attempt that went otherwise. */
export function proofLine(attempts: readonly Attempt[]): string {
  const wrong = attempts.find(({ outcome, expected }) => outcome !== expected);
  if (wrong === undefined) return JSON.stringify({ proof: 'passed' });
  const why = `${wrong.what}: ${wrong.outcome}, expected ${wrong.expected}`;
  return JSON.stringify({ proof: 'failed', why });
}
