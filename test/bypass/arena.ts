// Where attempts to get round the wall are made: a guarded lab, a sniffer of every frame that leaves
// the machine, and attempts with a marker of their own. What arrived is what the sniffer saw.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Guarded } from '../lab/guarded.ts';
import { eachLine, line, type Result, until } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';

/** Allowed: 443/tcp, 9/udp and ICMP of it. */
export const ALLOWED = '198.51.100.10';
export const ALLOWED6 = '2001:db8:1::10';
/** Never allowed. */
export const ATTACKER = '198.51.100.20';
/** Networks of which every address is allowed on 443/tcp and 9/udp. */
const OPEN = '198.51.101.0/24';
const OPEN6 = '2001:db8:2::/64';

export const POLICY: SessionWishes = {
  allow: [
    'registry.example.com:443/tcp',
    ...[`${ALLOWED}:443/tcp;9/udp`, `[${ALLOWED6}]:443/tcp;9/udp`],
    ...[`${OPEN}:443/tcp;9/udp`, `${OPEN6}:443/tcp;9/udp`],
  ].join('\n'),
  icmp: ALLOWED,
};

/** What an attempt may do: an ordinary user, one with CAP_NET_RAW, root. */
export type Privilege = 'U' | 'N' | 'R';

const USER = ['--reuid=1001', '--regid=1001', '--clear-groups'];
const WORDS: Readonly<Record<Privilege, readonly string[]>> = {
  U: ['setpriv', ...USER, '--inh-caps=-all', '--'],
  N: ['setpriv', ...USER, '--inh-caps=-all,+net_raw', '--ambient-caps=+net_raw', '--'],
  R: [],
};

const SNIFFER = `
import re, socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] == 4 or a[0] == 'lo': continue
    for m in re.findall(rb'mark-[0-9a-z-]+!', d): print('arrived ' + m.decode(), flush=True)
`;

const ATTEMPT = readFileSync('test/bypass/attempt.py', 'utf8');

function isRemoved(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch {
    return false;
  }
}

/** A guarded lab with its sniffer. */
export class Arena {
  readonly guarded: Guarded;
  readonly #arrived = new Set<string>();
  #count = 0;

  constructor(id = 'bypass') {
    this.guarded = new Guarded(id);
  }

  /** The lab and its sniffer; the wall comes with `guard`. */
  async open(): Promise<void> {
    await this.guarded.open();
    const sniffer = await this.guarded.lab.serve(SNIFFER);
    eachLine(sniffer, (text) => this.#arrived.add(text.replace('arrived ', '')));
    const groups = 'echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range';
    this.guarded.run('sh', '-c', groups);
  }

  async guard(wishes: SessionWishes = POLICY): Promise<void> {
    await this.guarded.guard(wishes);
  }

  /** A marker nobody has used. */
  marker(): string {
    return `mark-${(this.#count++).toString(36)}!`;
  }

  /** Words before a command, by which it has a privilege. */
  wordsOf(privilege: Privilege): readonly string[] {
    return WORDS[privilege];
  }

  /** The words of an attempt. */
  words(privilege: Privilege, script: string, to: string, marker: string): readonly string[] {
    return [...WORDS[privilege], '/usr/bin/python3', '-c', ATTEMPT, to, marker, script];
  }

  /** Makes an attempt; its marker, and what it said. `prefix`: words before it. */
  attempt(
    privilege: Privilege,
    script: string,
    to: string,
    prefix: readonly string[] = [],
  ): Result & { readonly marker: string } {
    const marker = this.marker();
    const done = this.guarded.run(...prefix, ...this.words(privilege, script, to, marker));
    return { ...done, marker };
  }

  /** Runs a command as a child of the worker: one of the job's. */
  async ofJob(...words: readonly string[]): Promise<Pick<Result, 'stdout' | 'stderr'>> {
    const { worker } = this.guarded;
    if (worker === undefined) throw new Error('the session is not started');
    const run = `
import json, subprocess
done = subprocess.run(${JSON.stringify(words)}, capture_output=True, text=True)
print('said ' + json.dumps({'stdout': done.stdout, 'stderr': done.stderr}), flush=True)`;
    worker.stdin?.write(`exec(${JSON.stringify(run)}, {})\n`);
    return JSON.parse((await line(worker, 'said ')).replace('said ', ''));
  }

  /** Whether a marker has left the machine; `awaited`: it must, and is waited for. */
  async hasArrived(marker: string, awaited: boolean): Promise<boolean> {
    if (awaited) await until(() => this.#arrived.has(marker), `${marker} to arrive`);
    else await this.barrier();
    return this.#arrived.has(marker);
  }

  /** Whether a marker has left the machine so far: what came before a barrier is all there. */
  saw(marker: string): boolean {
    return this.#arrived.has(marker);
  }

  /** A datagram that passes, sent after the attempts: once it is seen, what came before is too. */
  async barrier(): Promise<void> {
    const { marker } = this.attempt('U', 'datagram().sendto(M, (TO, 9))', ALLOWED);
    await until(() => this.#arrived.has(marker), 'the barrier');
  }

  /** A command of root's on the lab's machine; what it said on stderr. */
  root(...words: string[]): string {
    return this.guarded.run(...words).stderr.trim();
  }

  /** The blocks of an address so far, at least one. */
  async blocksOf(address: string): Promise<readonly AuditEvent[]> {
    const isIt = (event: AuditEvent) => event.dst_ip === address && event.blocked;
    return (await this.guarded.events((all) => all.some(isIt))).filter(isIt);
  }

  /** The records behind the first `count`: those of a refusal made now are the last of them. */
  async recordsSince(count: number): Promise<readonly AuditEvent[]> {
    const last = `203.0.113.${(this.#count % 200) + 1}`;
    this.attempt('U', 'datagram().sendto(M, (TO, 9))', last);
    await this.blocksOf(last);
    const since = (await this.guarded.events()).slice(count);
    return since.filter((event) => event.dst_ip !== last);
  }

  /** Gives a cgroup of its own to what is done, and waits until nothing is left in it. */
  async inCgroup<T>(path: string, action: () => T | Promise<T>): Promise<T> {
    mkdirSync(path);
    try {
      return await action();
    } finally {
      writeFileSync(`${path}/cgroup.kill`, '1');
      await until(() => isRemoved(path), `${path} to be empty`);
    }
  }

  close(): void {
    this.guarded.close();
  }
}
