// Where questions are tried: a guarded lab whose upstream says what a test scripts, and a sniffer of
// what leaves the machine. A name that must not get out carries a marker; what arrived is what the
// sniffer saw, in whatever packet.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type packet from 'dns-packet';
import type { AuditEvent, AuditRecord } from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { Guarded } from '../lab/guarded.ts';
import { eachLine, line, type Result, until } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';
import type { Script } from './scripted-resolver.ts';

/** The scripted upstream; the resolver of the machine's configuration is another. */
export const UPSTREAM = '192.0.2.54';
export const RESOLVER = '192.0.2.53';
/** Where allowed names lead, and where nothing may go. */
export const HOME = '198.51.100.10';
export const ATTACKER = '198.51.100.20';

/** A plainly allowed name. */
export const OK = 'ok.example';

/** What the cases are tried under. */
export const DNS_WISHES: SessionWishes = {
  allow: [
    `${OK}:443, =exact.example:443, inside.example:443, rebound.example:443, cdn.example:443`,
    '198.51.100.30:853', // listed for case 66
    'chain.example:443, one.example:443, two.example:443, barrier.example:443',
  ].join(', '),
  block: 'denied.cdn.test',
  private: ['inside.example'],
  searchDomains: '.corp.example.net',
};

/** What must come of a question nobody has allowed. */
export const REFUSED = { status: 'REFUSED', isBlocked: true, isDigs: true, heard: 0, left: false };

const SNIFFER = `
import re, socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.setsockopt(1, 33, 1 << 26); s.bind(('up1', 0))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] == 4: continue
    for m in re.findall(rb'leak[0-9a-z]+', d.lower()): print('arrived ' + m.decode(), flush=True)
    if d[12:14] == b'\\x08\\0' and d[23] in (6, 17):
        port = struct.unpack('>H', d[36:38])[0]
        if port in (53, 853): print('port', socket.inet_ntoa(d[30:34]), port, flush=True)
`;

/** A user without any privilege, as a step is. */
const USER = ['setpriv', '--reuid=1001', '--regid=1001', '--clear-groups', '--inh-caps=-all'];

/** An address record. */
export const a = (name: string, data: string, ttl = 60): packet.Answer => ({
  name,
  type: data.includes(':') ? 'AAAA' : 'A',
  ttl,
  data,
});

/** An alias. */
export const cname = (name: string, data: string): packet.Answer => ({
  name,
  type: 'CNAME',
  ttl: 60,
  data,
});

function isEvent(record: AuditRecord): record is AuditEvent {
  const isOfNetwork = /_(?:blocked|allowed|connection)$/u.test(record.event_type);
  return isOfNetwork && !('reason' in record && record.reason === 'proof');
}

/** A guarded lab with its scripted upstream. */
export class DnsArena {
  readonly guarded: Guarded;
  /** `name TYPE` of every question that reached the upstream. */
  readonly asked: string[] = [];
  /** `address port` of everything that left for port 53 or 853. */
  readonly ports = new Set<string>();
  daemon = 0;
  readonly #arrived = new Set<string>();
  #upstream: ChildProcess | undefined;
  #count = 0;
  #scripted = 0;

  constructor(id: string) {
    this.guarded = new Guarded(id);
  }

  async open(): Promise<void> {
    const { guarded } = this;
    await guarded.open();
    const net = guarded.lab.net;
    execFileSync('ip', ['-n', net, 'addr', 'add', `${UPSTREAM}/32`, 'dev', 'up1']);
    const script = resolve('test/bypass/scripted-resolver.ts');
    const words = ['netns', 'exec', net, process.execPath, script, UPSTREAM];
    const upstream = spawn('ip', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    guarded.lab.adopt(upstream);
    await line(upstream, 'ready');
    eachLine(upstream, (text) => {
      if (text.startsWith('asked ')) this.asked.push(text.slice('asked '.length));
      else this.#scripted++;
    });
    this.#upstream = upstream;
    const sniffer = await guarded.lab.serve(SNIFFER);
    eachLine(sniffer, (text) => {
      if (text.startsWith('arrived ')) this.#arrived.add(text.slice('arrived '.length));
      else this.ports.add(text.slice('port '.length));
    });
  }

  /** Asks for a name that carries a marker: what the client got, what was recorded, what left. */
  async refused(name: string, ...words: string[]): Promise<typeof REFUSED> {
    const marker = /leak[0-9a-z]+/u.exec(name)?.[0] ?? '';
    const status = /status: (\w+)/u.exec(this.dig(name, ...words))?.[1] ?? 'none';
    const { blocked, process: comm = '' } = await this.refusal(name);
    const left = await this.hasArrived(marker);
    const heard = this.asked.filter((text) => text.includes(marker)).length;
    // dig asks in a thread with a name of its own
    return { status, isBlocked: blocked, isDigs: /^(?:dig|isc-net)/u.test(comm), heard, left };
  }

  /** Starts the session with the scripted upstream. */
  async guard(wishes: SessionWishes): Promise<void> {
    const said = await this.guarded.guard({
      upstream: { address: UPSTREAM, port: 53 },
      ...wishes,
    });
    const green = said.find((text) => text.includes('"green"')) ?? '{}';
    for (const name of [OK, 'exact.example']) await this.answers(name, a(name, HOME));
    this.daemon = (JSON.parse(green) as { pid?: number }).pid ?? 0;
  }

  /** Tells the upstream what to say; it has heard when this resolves. */
  async script(script: Script): Promise<void> {
    const upstream = this.#upstream;
    if (upstream === undefined) throw new Error('the arena is not open');
    const before = this.#scripted;
    upstream.stdin?.write(`${JSON.stringify(script)}\n`);
    await until(() => this.#scripted > before, 'the upstream to hear its script');
  }

  /** Scripts the answer section of a name's address question. */
  async answers(name: string, ...answers: readonly packet.Answer[]): Promise<void> {
    await this.script({ key: `${name} A`, reply: { answers } });
  }

  /** A marker nothing else carries. */
  marker(): string {
    return `leak${process.pid.toString(36)}x${(this.#count++).toString(36)}q`;
  }

  /** Runs a command of the job, as a user. */
  run(...command: string[]): Result {
    return this.guarded.run(...USER, '--', ...command);
  }

  /** Runs Python of the job, as a user. */
  python(script: string, ...words: string[]): string {
    const done = this.run('/usr/bin/python3', '-c', script, ...words);
    return `${done.stdout}${done.stderr}`.trim();
  }

  /** Asks by dig as the job. */
  dig(...words: string[]): string {
    return this.run('dig', '+tries=1', '+time=3', ...words).stdout;
  }

  /** What a TCP connect of the job gets. */
  connect(address: string, port = 443): string {
    const family = address.includes(':') ? 'AF_INET6' : 'AF_INET';
    const script = `
import socket, sys
s = socket.socket(socket.${family}); s.settimeout(2)
try: s.connect((sys.argv[1], int(sys.argv[2]))); print('connected')
except OSError as e: print(type(e).__name__)
`;
    return this.python(script, address, String(port));
  }

  /** Whether a marker has left the machine, once everything before is known to be seen. */
  async hasArrived(marker: string): Promise<boolean> {
    const barrier = this.marker();
    this.dig(`${barrier}.barrier.example`);
    await until(() => this.#arrived.has(barrier), 'the barrier');
    return this.#arrived.has(marker);
  }

  /** Markers seen so far, for floods. */
  get arrived(): ReadonlySet<string> {
    return this.#arrived;
  }

  /** Everything the log has, whatever its size. */
  records(): readonly AuditRecord[] {
    return decodeLog(this.log()).records;
  }

  /** The log's text. */
  log(): string {
    const [, , holder] = this.guarded.lab.enter([]);
    return readFileSync(`/proc/${holder}/root/run/cargowall/records/audit.jsonl`, 'utf8');
  }

  /** The events so far, proof left out, whatever the log's size; waits until `isComplete` holds. */
  async events(
    isComplete: (events: readonly AuditEvent[]) => boolean = () => true,
  ): Promise<readonly AuditEvent[]> {
    let events: readonly AuditEvent[] = [];
    const read = () => {
      events = this.records().filter(isEvent);
      return isComplete(events);
    };
    await until(read, 'the records');
    return events;
  }

  /** Waits for a refused question's record. */
  async refusal(name: string): Promise<AuditEvent> {
    const isIt = (event: AuditEvent) =>
      event.event_type === 'dns_blocked' && event.dst_hostname === name;
    const all = await this.events((events) => events.some(isIt));
    const found = all.find(isIt);
    if (found === undefined) throw new Error(`no record of ${name}`);
    return found;
  }

  /** Waits for a refused connection's record. */
  async block(address: string, port: number, from = 0): Promise<AuditEvent> {
    const isIt = (event: AuditEvent) =>
      event.event_type === 'connection_blocked' &&
      event.dst_ip === address &&
      event.dst_port === port;
    const all = await this.events((events) => events.slice(from).some(isIt));
    const found = all.slice(from).find(isIt);
    if (found === undefined) throw new Error(`no record of ${address}`);
    return found;
  }

  /** Resident memory of the daemon in MB, and its open descriptors. */
  load(): { readonly rssMb: number; readonly descriptors: number } {
    const status = readFileSync(`/proc/${this.daemon}/status`, 'utf8');
    const rssMb = Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1] ?? 0) / 1024;
    return { rssMb, descriptors: readdirSync(`/proc/${this.daemon}/fd`).length };
  }

  close(): void {
    this.guarded.close();
  }
}
