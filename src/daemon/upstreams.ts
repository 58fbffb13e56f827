// Asking the upstreams in order within two seconds (spec 7), over TCP when an answer is cut.
import { encodeQuestion } from '../core/dns/answer.ts';
import { CLASS_IN, RCODE } from '../core/dns/codes.ts';
import { DnsDecodeError } from '../core/dns/dns-decode-error.ts';
import { decodeHeader, decodeResponse, type Response } from '../core/dns/message.ts';
import type { DnsClock, DnsProtocol, DnsServer, DnsUpstream } from './dns-ports.ts';

/** All of it, so that SERVFAIL leaves within 2 s. */
const BUDGET_MS = 1900;
const DOWN_EVERY_MS = 60_000;

/** No upstream gave an answer that can be used; the client gets SERVFAIL. */
export class UpstreamError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UpstreamError';
  }
}

/** What the upstreams are made of. */
export interface UpstreamsOptions {
  readonly servers: readonly DnsServer[];
  readonly upstream: DnsUpstream;
  readonly clock: DnsClock;
  /** Called at most once a minute when no upstream answered. */
  readonly onDown: (down: { readonly servers: readonly DnsServer[]; readonly why: string }) => void;
}

function isFinal(rcode: number): boolean {
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
}

/** A question of ours. */
interface Asked {
  readonly name: string;
  readonly type: number;
  readonly message: Uint8Array;
}

/** A response to exactly that question, with a response code that counts. */
function checked(asked: Asked, response: Response): Response {
  const { name, type, class: of } = response.question;
  if (name !== asked.name || type !== asked.type || of !== CLASS_IN) {
    throw new UpstreamError('an answer to another question');
  }
  if (!isFinal(response.rcode)) throw new UpstreamError(`response code ${response.rcode}`);
  return response;
}

/** The upstreams of a session, tried in order. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
  }

  /** Questions no upstream answered. */
  get failures(): number {
    return this.#failures;
  }

  /** Asks afresh for (name, type); errors: UpstreamError. */
  ask(name: string, type: number): Promise<Response> {
    const asked = { name, type, message: encodeQuestion(name, type) };
    return this.#inOrder((server, timeLeft) => this.#askWhole(server, asked, timeLeft));
  }

  /**
   * Sends a client's own message (audit mode) and returns the reply as it came, whatever its
   * response code where no upstream gives a better one; errors: UpstreamError.
   */
  async forward(message: Uint8Array, proto: DnsProtocol): Promise<Uint8Array> {
    let unhappy: Uint8Array | undefined;
    try {
      return await this.#inOrder(async (server, timeLeft) => {
        const reply = await this.#options.upstream.ask(server, message, proto, timeLeft());
        const header = decodeHeader(reply);
        if (isFinal(header.rcode)) return reply;
        unhappy ??= reply;
        throw new UpstreamError(`response code ${header.rcode}`);
      });
    } catch (error) {
      if (unhappy !== undefined) return unhappy;
      throw error;
    }
  }

  async #askWhole(server: DnsServer, asked: Asked, timeLeft: () => number): Promise<Response> {
    const { upstream } = this.#options;
    const { message } = asked;
    const reply = decodeResponse(await upstream.ask(server, message, 'udp', timeLeft()));
    if (!reply.truncated) return checked(asked, reply);
    const whole = decodeResponse(await upstream.ask(server, message, 'tcp', timeLeft()));
    if (whole.truncated) throw new UpstreamError('a truncated answer over TCP');
    return checked(asked, whole);
  }

  async #inOrder<T>(
    attempt: (server: DnsServer, timeLeft: () => number) => Promise<T>,
  ): Promise<T> {
    const { servers, clock } = this.#options;
    const startMs = clock.nowMs();
    let last: unknown;
    let answered = false;
    for (const [index, server] of servers.entries()) {
      const endMs = startMs + (BUDGET_MS * (index + 1)) / servers.length;
      try {
        return await attempt(server, () => Math.max(1, endMs - clock.nowMs()));
      } catch (error) {
        answered ||= error instanceof UpstreamError || error instanceof DnsDecodeError;
        last = error;
      }
    }
    this.#failures++;
    if (!answered) this.#reportDown(last);
    throw new UpstreamError('no upstream gave a usable answer', { cause: last });
  }

  #reportDown(cause: unknown): void {
    const now = this.#options.clock.nowMs();
    if (now - this.#reportedAtMs < DOWN_EVERY_MS) return;
    this.#reportedAtMs = now;
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#options.onDown({ servers: this.#options.servers, why });
  }
}
