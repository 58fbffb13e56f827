// A DNS proxy with everything around it faked: upstream by script, kernel that acknowledges on
// demand, clock that moves only when told.
import packet from 'dns-packet';
import { parseAddress, printAddress } from '../../src/core/net/address.ts';
import type { MapWrite } from '../../src/core/policy/map-write.ts';
import type { DnsBlocked, DnsClient, DnsProtocol, DnsServer } from '../../src/daemon/dns-ports.ts';
import { createDnsProxy } from '../../src/daemon/dns-proxy.ts';
import type { DnsMode } from '../../src/daemon/dns-proxy-options.ts';
import type { KnownQuestion } from '../../src/daemon/name-judge.ts';
import { aSessionPolicy, type PolicyWishes } from '../builders/a-session-policy.ts';

/** One question the upstream heard; `key` is `name TYPE`. */
export interface Heard {
  readonly key: string;
  readonly server: string;
  readonly proto: DnsProtocol;
  readonly message: Uint8Array;
}

class FakeUpstream {
  readonly heard: Heard[] = [];
  readonly said: Uint8Array[] = [];
  readonly down = new Set<string>();
  cutOverUdp = false;
  silent = false;
  /** What becomes of a reply on its way. */
  change: (reply: Uint8Array) => Uint8Array = (reply) => reply;
  readonly #answers = new Map<string, packet.Packet>();

  set(key: string, answers: packet.Answer[], more: packet.Packet = {}): void {
    this.#answers.set(key, { answers, ...more });
  }

  async ask(server: DnsServer, message: Uint8Array, proto: DnsProtocol): Promise<Uint8Array> {
    const asked = packet.decode(Buffer.from(message));
    const [question] = asked.questions ?? [];
    const key = `${question?.name.toLowerCase()} ${question?.type}`;
    this.heard.push({ key, server: server.address, proto, message: Uint8Array.from(message) });
    if (this.silent) return new Promise(() => undefined);
    if (this.down.has(server.address)) throw new Error('no reply');
    const answer = this.#answers.get(key) ?? { flags: 2 };
    const cut = this.cutOverUdp && proto === 'udp';
    const reply = packet.encode({
      ...answer,
      type: 'response',
      id: 0xabcd,
      questions: asked.questions ?? [],
      ...(cut ? { answers: [], flags: packet.TRUNCATED_RESPONSE } : {}),
    });
    const changed = this.change(Uint8Array.from(reply));
    this.said.push(changed);
    return changed;
  }
}

class FakeKernel {
  readonly writes: MapWrite[] = [];
  #held: { readonly gate: Promise<void>; readonly reach: () => void } | undefined;
  #refuse = 0;

  /** Makes the next batch wait for `release`. */
  hold() {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    this.#held = { gate: gate.promise, reach: reached.resolve };
    const refuse = () => gate.reject(new Error('E2BIG'));
    return { reached: reached.promise, release: gate.resolve, refuse };
  }

  /** Refuses the next batches. */
  refuseNext(count = 1): void {
    this.#refuse = count;
  }

  async apply(writes: readonly MapWrite[]): Promise<void> {
    if (this.#refuse > 0) {
      this.#refuse--;
      throw new Error('E2BIG');
    }
    this.writes.push(...writes);
    const held = this.#held;
    this.#held = undefined;
    held?.reach();
    await held?.gate;
  }
}

class FakeClock {
  #now = 0;
  readonly #timers: { readonly at: number; readonly resolve: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.push({ at: this.#now + ms, resolve });
    });
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) if (timer.at <= this.#now) timer.resolve();
  }
}

const CLIENT = '127.0.0.1';
const ASKER = {
  pid: 77,
  comm: 'curl',
  uid: 1001,
  origin: 2,
  scope: 0,
  cgroup: '42',
  startNs: 0n,
  execs: 0,
};

/** How a test's client differs from an ordinary process of the job over UDP. */
export interface Client {
  readonly proto?: DnsProtocol;
  readonly scope?: number;
  readonly unowned?: boolean;
  /** Nobody says whose it is. */
  readonly silent?: boolean;
  /** As the socket it came by says. */
  readonly isRunner?: boolean;
}

/** A proxy and its world; the nonce is `n0nce`, the upstreams 192.0.2.53 and .54. */
export function aProxy(wishes: PolicyWishes & { readonly mode?: DnsMode }) {
  const upstream = new FakeUpstream();
  const kernel = new FakeKernel();
  const clock = new FakeClock();
  const blocked: DnsBlocked[] = [];
  const answered: { readonly known: KnownQuestion; readonly client: DnsClient }[] = [];
  const opened: { readonly name: string; readonly addresses: readonly string[] }[] = [];
  const seen = { downs: 0, client: {} as Client };
  const policy = aSessionPolicy(wishes);
  const { searchDomains } = policy;
  const proxy = createDnsProxy({
    policy,
    gate: {
      defaultAllow: policy.default === 'allow',
      searchDomains,
      localNames: new Map(),
      nonce: 'n0nce',
    },
    times: { grantFloorMs: 300_000, grantCapMs: 86_400_000, preresolveMs: 3000 },
    mode: () => wishes.mode ?? 'enforce',
    servers: [
      { address: '192.0.2.53', port: 53 },
      { address: '192.0.2.54', port: 53 },
    ],
    upstream,
    grantSink: kernel,
    clock,
    own: () => false,
    asker: () => {
      const { unowned, silent, scope = 0 } = seen.client;
      if (silent === true) return new Promise(() => undefined);
      return Promise.resolve(unowned === true ? undefined : { ...ASKER, scope });
    },
    onBlocked: (one) => blocked.push(one),
    onAnswered: (known, client) => answered.push({ known, client }),
    onGranted: ({ name, addresses }) => {
      opened.push({ name, addresses: addresses.map(printAddress) });
    },
    onUpstreamDown: () => {
      seen.downs++;
    },
  });
  return {
    proxy,
    upstream,
    kernel,
    clock,
    blocked,
    answered,
    opened,
    get downs() {
      return seen.downs;
    },
    ask(message: Uint8Array, client: Client = {}) {
      seen.client = client;
      const proto = client.proto ?? 'udp';
      const { isRunner } = client;
      const of = isRunner === undefined ? {} : { isRunner };
      return proxy.handle(message, { address: CLIENT, port: 40_000, proto, ...of });
    },
    /** Names with a live grant of TCP `port` on an address. */
    granted(address: string, port = 443) {
      const parsed = parseAddress(address) ?? new Uint8Array(16);
      const tables = ['user', 'auto', 'runner'] as const;
      const live = tables.map((table) =>
        proxy.grants.live(table, parsed, 'tcp', port, clock.nowMs()),
      );
      return [...new Set(live.flatMap((grant) => grant?.name ?? []))];
    },
    /** Lets every step that needs nobody else run. */
    settle: async () => {
      for (let turn = 0; turn < 2; turn++) await new Promise<void>((go) => setImmediate(go));
    },
  };
}

/** A query as a client's library writes it. */
export function query(
  name: string,
  type: packet.RecordType = 'A',
  more: { readonly id?: number; readonly opt?: boolean; readonly flags?: number } = {},
): Buffer {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1400 } as unknown as packet.Answer;
  return packet.encode({
    type: 'query',
    id: more.id ?? 7,
    flags: packet.RECURSION_DESIRED | (more.flags ?? 0),
    questions: [{ type, name, class: 'IN' }],
    additionals: more.opt === true ? [opt] : [],
  });
}

/** Reads an answer with the independent codec; throws when there was none. */
export function read(reply: Uint8Array | undefined): packet.DecodedPacket & { rcode?: string } {
  if (reply === undefined) throw new Error('silence');
  return packet.decode(Buffer.from(reply));
}
