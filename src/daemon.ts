// The daemon: builds the edges, starts or resumes the session, serves until its channel ends.
// Any error before green ends it, and the loader undoes the start; after green it is started again.
import type { Knowledge } from './core/audit/attribute.ts';
import { Identities } from './core/audit/identities.ts';
import { formatTimestamp } from './core/audit/timestamp.ts';
import { decodeOwnerReply, encodeOwnerKey } from './core/flow/owner.ts';
import { type Address, addressKey, parseAddress } from './core/net/address.ts';
import { PROTOCOL_NUMBERS } from './core/net/protocol.ts';
import { cloudOf } from './core/policy/cloud.ts';
import type { Policy } from './core/policy/policy.ts';
import type { Hello } from './core/wire/loader-messages.ts';
import type { SessionSettings } from './core/wire/session.ts';
import { AuditLogger } from './daemon/audit-logger.ts';
import { ControlServer } from './daemon/control-server.ts';
import type { DnsClient } from './daemon/dns-ports.ts';
import { createDnsProxy } from './daemon/dns-proxy.ts';
import type { DnsMode, DnsProxy } from './daemon/dns-proxy-options.ts';
import { FlowPipeline } from './daemon/flow-pipeline.ts';
import { gateSettings } from './daemon/gate-settings.ts';
import { inCloud } from './daemon/in-cloud.ts';
import { knowledgeOf } from './daemon/knowledge.ts';
import { LateAllow } from './daemon/late-allow.ts';
import { NotificationTracker, notifyOf } from './daemon/notification-tracker.ts';
import { NO_PAST, type Past, readPast } from './daemon/past.ts';
import { ProofEvents, type ProofLine, parseProofLine } from './daemon/proof.ts';
import { Questions } from './daemon/questions.ts';
import {
  daemonRestarted,
  dnsUpstreamDown,
  noticeText,
  sessionStarted,
  tamper,
} from './daemon/session-records.ts';
import { resumeSession, startSession } from './daemon/supervisor.ts';
import { TrafficWatch } from './daemon/traffic-watch.ts';
import { WebhookClient } from './daemon/webhook.ts';
import { AuditFile, readLines } from './edge/host/audit-file.ts';
import { after, every, nowMs, nowNs, soon } from './edge/host/clock.ts';
import { adoptDnsTcp } from './edge/host/dns-tcp.ts';
import { adoptDnsUdp } from './edge/host/dns-udp.ts';
import { platformCgroups, readCloudFacts } from './edge/host/platform.ts';
import { UpstreamClient } from './edge/host/upstream.ts';
import { postJson } from './edge/host/webhook-post.ts';
import { LoaderChannel } from './edge/kernel/loader-channel.ts';

const LOADER_FD = 3;
const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
/** Names one life of the daemon can number; its successor begins behind them. */
const NAMES_A_LIFE = 1 << 20;
/** The loader fixes the daemon's environment; the job's never gets here. */
// biome-ignore lint/style/noProcessEnv: a root reads the environment once
const CLOUD_PROVIDER = process.env['CARGOWALL_CLOUD_PROVIDER'] ?? '';
const HEARTBEAT_MS = 1000;
const SWEEP_MS = 5000;

const attempts = Promise.withResolvers<ProofLine>();
const identities = new Identities();
let served: Served | undefined;

/** A session that is served. */
interface Served {
  readonly logger: AuditLogger;
  readonly pipeline: FlowPipeline;
  readonly questions: Questions;
  readonly proxy: DnsProxy;
  readonly lateAllow: LateAllow;
  readonly traffic: TrafficWatch;
  readonly control: ControlServer;
  readonly timestamp: () => string;
}

const channel = new LoaderChannel(LOADER_FD, {
  onHello: (hello) => {
    run(hello).catch(fail);
  },
  onIdentities: (bytes) => identities.tell(bytes),
  onEvents: (bytes, resent, written) => {
    served?.pipeline.processBlockedEvents(bytes, resent);
    written();
  },
  onControl: (request) => {
    if (request.client === 0) {
      const word = parseProofLine(request.line);
      if (word !== undefined) attempts.resolve(word);
    } else {
      served?.control.answer(request).catch(fail);
    }
  },
  onNotice: (notice) => {
    served?.logger.logEvent(tamper(served.timestamp(), noticeText(notice)));
  },
  // Fails closed: the kernel goes on enforcing without us.
  onEnd: () => {
    served?.questions.flush();
    process.exit(1);
  },
});

/** Before green main reads why; afterwards the loader starts a new daemon. */
function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  channel.stage({
    error: {
      code: 'daemon',
      message: `the start failed in the daemon: ${message}`,
      remedy: 'run the step again; if it fails again, report it with this line',
    },
  });
  setImmediate(() => process.exit(1));
}

async function askerOf(client: DnsClient) {
  const address = parseAddress(client.address);
  if (address === undefined) return undefined;
  const key = encodeOwnerKey(address, client.port, PROTOCOL_NUMBERS[client.proto]);
  return decodeOwnerReply(await channel.owner(key));
}

async function listen(hello: Hello, proxy: DnsProxy, { streams }: Questions): Promise<void> {
  const handle = (message: Uint8Array, client: DnsClient) => proxy.handle(message, client);
  const again = (message: Uint8Array, isRunner: boolean) => proxy.again(message, isRunner);
  const admit = (client: DnsClient) => streams.admit(client);
  const onDrop = () => streams.refused++;
  await Promise.all(
    hello.sockets.map((socket) => {
      const adopt = socket.proto === 'tcp' ? adoptDnsTcp : adoptDnsUdp;
      return adopt({ ...socket, handle, again, admit, onDrop, onError: fail });
    }),
  );
}

function readLog(hello: Hello, logger: AuditLogger): Past {
  if (!hello.restarted) return NO_PAST;
  return readPast((onLine) => readLines(AUDIT_LOG, onLine), logger);
}

function buildProxy(
  { session }: Hello,
  parts: {
    readonly logger: AuditLogger;
    readonly questions: Questions;
    readonly timestamp: () => string;
    readonly isOwn: (address: Address) => boolean;
    readonly mode: () => DnsMode;
    readonly lastName: number;
  },
): DnsProxy {
  const { policy } = session;
  const { logger, questions, timestamp } = parts;
  return createDnsProxy({
    policy,
    gate: gateSettings(session),
    times: session.times,
    mode: parts.mode,
    lastName: parts.lastName,
    servers: session.upstreams,
    upstream: new UpstreamClient(),
    grantSink: channel,
    clock: { nowMs, after, soon },
    own: parts.isOwn,
    asker: questions.asker,
    onBlocked: questions.blocked,
    onAnswered: questions.answered,
    onGranted: ({ addresses }) => served?.lateAllow.granted(addresses),
    onUpstreamDown: ({ servers, why }) => {
      const names = servers.map(({ address, port }) => `${address} port ${port}`);
      logger.logEvent(dnsUpstreamDown(timestamp(), names, why));
    },
  });
}

function buildQuestions(policy: Policy, logger: AuditLogger, timestamp: () => string): Questions {
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  const clock = { nowMs, soon };
  return new Questions({ policy, logger, identities, timestamp, clock, lookUp: askerOf, seed });
}

function buildNotifications(
  { notifyUrl: url, mode, job }: SessionSettings,
  proxy: DnsProxy,
): NotificationTracker | undefined {
  if (url === undefined) return undefined;
  const reach = (host: string, port: number) => proxy.reach(host, port);
  return new NotificationTracker(new WebhookClient({ url, mode, job, reach, post: postJson }), {
    after,
  });
}

function buildLateAllow(
  { policy, times }: SessionSettings,
  proxy: DnsProxy,
  logger: AuditLogger,
): LateAllow {
  return new LateAllow({
    policy,
    keepMs: times.lateAllowMs,
    logger,
    grants: proxy.grants,
    lookAgain: (name) => proxy.lookAgain(name),
    clock: { nowMs, after },
  });
}

function buildTraffic(parts: {
  readonly logger: AuditLogger;
  readonly knowledge: Knowledge;
  readonly past: Past;
  readonly timestamp: () => string;
}): TrafficWatch {
  const { past, ...rest } = parts;
  const nameInLog = (address: string) => past.names.get(address);
  const knowledge = { ...parts.knowledge, nameInLog };
  return new TrafficWatch({ ...rest, knowledge, loader: channel, told: past.uploads });
}

function keepTime(parts: Pick<Served, 'pipeline' | 'questions' | 'proxy' | 'traffic'>): void {
  every(HEARTBEAT_MS, () => {
    channel.heartbeat();
    parts.questions.flush();
  });
  every(SWEEP_MS, () => {
    parts.proxy.sweep();
    parts.pipeline.flush();
    parts.traffic.look().catch(fail);
  });
}

async function run(received: Hello): Promise<void> {
  const cloud = cloudOf(readCloudFacts(CLOUD_PROVIDER));
  const hello = inCloud(received, cloud);
  const { session } = hello;
  const logger = new AuditLogger(new AuditFile(hello.audit), session.mode === 'audit');
  const past = readLog(hello, logger);
  const clockOffsetNs = past.clockOffsetNs ?? hello.realtimeNs - hello.monotonicNs;
  const timestamp = () => formatTimestamp(nowNs() + clockOffsetNs);
  const ownKeys = new Set(hello.own.map(addressKey));
  const isOwn = (address: Address) => ownKeys.has(addressKey(address));
  let mode: DnsMode = 'noting';
  const questions = buildQuestions(session.policy, logger, timestamp);
  const proxy = buildProxy(hello, {
    logger,
    questions,
    timestamp,
    isOwn,
    mode: () => mode,
    lastName: past.restarts * NAMES_A_LIFE,
  });
  const notifications = buildNotifications(session, proxy);
  const lateAllow = buildLateAllow(session, proxy, logger);
  const proof = new ProofEvents();
  const knowledge = knowledgeOf(session.policy, { proxy, identities }, clockOffsetNs, nowMs);
  const pipeline = new FlowPipeline({
    logger,
    knowledge,
    known: past.known,
    onEvent: (event) => proof.note(event),
    onRefused: (event, record) => {
      lateAllow.refused(event, record);
      notifyOf(record, notifications);
    },
    nowMs,
  });
  const traffic = buildTraffic({ logger, knowledge, past, timestamp });
  const parts = { logger, pipeline, questions, proxy, lateAllow, traffic, timestamp };
  const own = { loader: channel, identities, mode: session.mode, pid: process.pid, nowMs, after };
  const control = new ControlServer({ ...own, ...parts, notifications });
  served = { ...parts, control };
  keepTime(parts);
  const options = {
    session,
    own: hello.own,
    platform: platformCgroups(),
    isOwn,
    loader: channel,
    proxy,
    listen: () => listen(hello, proxy, questions),
    logger,
    proof,
    attempts: attempts.promise,
    pid: process.pid,
    clock: { nowMs, wallNs: () => nowNs() + clockOffsetNs, after },
    onFlipped: () => {
      mode = session.mode;
    },
  };
  if (hello.restarted) {
    logger.logEvent(daemonRestarted(timestamp(), process.pid));
    await resumeSession(options);
  } else {
    logger.logEvent(sessionStarted(session, timestamp(), clockOffsetNs, cloud));
    await startSession(options);
  }
}
