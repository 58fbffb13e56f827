// Where containers are tried: a guarded lab with a real engine, and a sniffer on the internet's side
// that tells of every packet to an address nobody has allowed.
import { expect } from 'vitest';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { Docker, IMAGE } from '../lab/docker.ts';
import { Guarded } from '../lab/guarded.ts';
import { eachLine, type Lab, type Result, until } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';

/** Allowed by name, and by address; the same server answers on port 80. */
export const ALLOWED_NAME = 'registry.example.com';
export const ALLOWED = '198.51.100.11';
/** Neither is ever allowed. */
export const REFUSED_NAME = 'evil.example.net';
export const REFUSED = '198.51.100.20';

/** What every suite's wall lets through, unless it says otherwise. */
export const POLICY: SessionWishes = { allow: `${ALLOWED_NAME}:80/tcp, ${ALLOWED}:80/tcp` };

const SNIFFER = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('up1', 0))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] != 4 and d[12:14] == b'\\x08\\0' and socket.inet_ntoa(d[30:34]) == '${REFUSED}':
        print('leak', d[23], d.hex(), flush=True)
    if b'barrier-' in d and a[2] != 4: print(d[d.index(b'barrier-'):].split(b' ')[0].decode(), flush=True)
`;

/** A shell function that says what a command said, its code, and the centiseconds it took. */
export const TIMED = `
timed() {
  read a b < /proc/uptime; a=\${a%.*}\${a#*.}
  out=$("$@" 2>&1 </dev/null); code=$?
  read c d < /proc/uptime; c=\${c%.*}\${c#*.}
  echo "$out" "| code $code in $((c - a))"
}
`;

/** What a shell in some container does. */
export type Shell = (script: string) => Result;

/** What is asked of any engine. */
export interface Engine {
  open(): Promise<void>;
  /** Its client's command, as one of the job. */
  run(...words: string[]): Result;
  /** A shell script in a container that runs. */
  in(name: string, script: string): Result;
  close(): void;
}

/** A guarded lab with an engine. */
export class Place<E extends Engine> {
  readonly guarded: Guarded;
  readonly engine: E;
  readonly #leaks: string[] = [];
  readonly #barriers = new Set<string>();
  #count = 0;

  constructor(id: string, make: (lab: Lab) => E) {
    this.guarded = new Guarded(id);
    this.engine = make(this.guarded.lab);
  }

  /** Lab, engine and sniffer; the wall comes with `guarded.guard`. */
  async open(): Promise<void> {
    await this.guarded.open();
    const sniffer = await this.guarded.lab.serve(SNIFFER);
    eachLine(sniffer, (text) => {
      if (text.startsWith('leak')) this.#leaks.push(text);
      else this.#barriers.add(text);
    });
    await this.engine.open();
  }

  /** A shell in a container that runs already. */
  shell(name: string): Shell {
    return (script) => this.engine.in(name, `${TIMED}${script}`);
  }

  /** A shell in a container made for the occasion. */
  fresh(...options: string[]): Shell {
    return (script) =>
      this.engine.run('run', '--rm', ...options, IMAGE, 'sh', '-c', `${TIMED}${script}`);
  }

  /** The allowed name and the allowed address are reached, and the servers say so. */
  async expectAllowed(shell: Shell, mark: string): Promise<void> {
    const { stdout } = shell(`
      timed wget -q -O - http://${ALLOWED_NAME}/${mark}
      timed wget -q -O - http://${ALLOWED}/${mark}`);
    expect(stdout).toContain(`hello from ${ALLOWED_NAME}`);
    expect(stdout).toContain(`hello from ${ALLOWED}`);
    const heard = () => this.guarded.heard.filter((text) => text.includes(`/${mark} `));
    await until(() => heard().length === 2, 'the servers to have heard of both');
  }

  /** A refused name is REFUSED, and the question has reached nobody. */
  async expectNameRefused(shell: Shell, server = ''): Promise<AuditEvent> {
    const name = `q${this.#count++}.${REFUSED_NAME}`;
    const { stdout, stderr } = shell(`timed nslookup ${name} ${server}`);
    expect(`${stdout}${stderr}`).toContain('REFUSED');
    const isIt = (event: AuditEvent) => event.dst_hostname === name;
    const events = await this.guarded.events((all) => all.some(isIt));
    expect(this.guarded.heard.filter((text) => text.includes(name))).toEqual([]);
    const [found] = events.filter(isIt);
    expect(found).toMatchObject({ event_type: 'dns_blocked', blocked: true });
    return found as AuditEvent;
  }

  /** A refused address is refused inside, in under a second, and nothing of it leaves. */
  async expectAddressRefused(shell: Shell): Promise<AuditEvent> {
    const port = 1000 + this.#count++;
    const { stdout, stderr } = shell(`timed nc -w 5 ${REFUSED} ${port}`);
    const said = /(.*)\| code (\d+) in (\d+)/su.exec(`${stdout}${stderr}`);
    expect([said?.[1], said?.[2]]).toEqual([expect.stringContaining('not permitted'), '1']);
    expect(Number(said?.[3])).toBeLessThan(100);
    const isIt = (event: AuditEvent) => event.dst_port === port;
    const events = await this.guarded.events((all) => all.some(isIt));
    const found = events.filter(isIt);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      event_type: 'connection_blocked',
      blocked: true,
      dst_ip: REFUSED,
      process: 'nc',
    });
    await this.expectNoLeak();
    return found[0] as AuditEvent;
  }

  /** Nothing to the refused address has been seen outside, up to a request sent now. */
  async expectNoLeak(): Promise<void> {
    const barrier = `barrier-${this.#count++}`;
    this.guarded.run('curl', '-s', `http://${ALLOWED}/${barrier}`);
    await until(() => this.#barriers.has(barrier), barrier);
    expect(this.#leaks).toEqual([]);
  }

  close(): void {
    this.engine.close();
    this.guarded.close();
  }
}

/** One whose engine is dockerd. */
export class Quay extends Place<Docker> {
  readonly docker = this.engine;

  constructor(id: string) {
    super(id, (lab) => new Docker(lab));
  }
}
