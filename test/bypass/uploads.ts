// Senders of data in a guarded lab, of the job, of the runner and behind the machine, and what the log
// says of them.
import { expect } from 'vitest';
import type {
  AuditRecord,
  LargeUpload,
  SessionEnded,
  Traffic,
} from '../../src/core/audit/event.ts';
import { decodeLog } from '../../src/core/audit/jsonl.ts';
import { line } from '../lab/lab.ts';
import type { SessionWishes } from '../lab/session.ts';
import { Arena } from './arena.ts';

/** Where the log is. */
export const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';

/** Reads what it is sent, TCP and UDP; over TCP it answers with how much that was. */
const SINK = `
import socket, threading
def drain(c):
    n = 0
    while d := c.recv(1 << 20): n += len(d)
    c.sendall(b'%d' % n); c.close()
s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.setsockopt(41, 26, 0); u.bind(('::', 7001))
def datagrams():
    while True: u.recv(65536)
threading.Thread(target=datagrams, daemon=True).start()
print('ready', flush=True)
while True: threading.Thread(target=drain, args=(s.accept()[0],), daemon=True).start()
`;

/** What senders are made of. `sent`: bytes the kernel says TCP has sent, those sent again included. */
const SEND = `
import socket, struct, sys, threading
def stream(to, size):
    s = socket.create_connection((to, 7000)); s.sendall(bytes(size)); return s
def sent(s):
    s.shutdown(1)
    while s.recv(100): pass
    return struct.unpack_from('<Q', s.getsockopt(6, 11, 256), 200)[0]
def upload(to, size): return sent(stream(to, size))
def datagram(to): return socket.socket(10 if ':' in to else 2, socket.SOCK_DGRAM)
`;

/** What was told of a session. */
export interface Log {
  readonly text: string;
  readonly records: readonly AuditRecord[];
}

/** A guarded lab with a sink behind it: ports 7000/tcp and 7001/udp. */
export class Uploads {
  readonly arena: Arena;

  constructor(id: string) {
    this.arena = new Arena(id);
  }

  /** Opens the lab and guards it; `prepare` changes the lab in between. */
  async open(wishes: SessionWishes, prepare = (_arena: Arena) => {}): Promise<void> {
    await this.arena.open();
    prepare(this.arena);
    await this.arena.guarded.lab.serve(SINK);
    await this.arena.guard(wishes);
  }

  /** Lets the worker run Python; what it says by `say`. */
  async #tell(python: string): Promise<string> {
    const { worker } = this.arena.guarded;
    if (worker === undefined) throw new Error('the session is not started');
    const say = "say = lambda what: sys.stdout.write(f'said {what}\\n')";
    worker.stdin?.write(`exec(${JSON.stringify(`import sys\n${say}\n${python}`)}, {})\n`);
    return (await line(worker, 'said ')).replace('said ', '').trim();
  }

  /** Runs a sender as a child of the worker; the number it says. `prefix`: words before it. */
  async send(script: string, ...prefix: readonly string[]): Promise<number> {
    const words = [...prefix, '/usr/bin/python3', '-c', `${SEND}\n${script}`];
    const said = await this.#tell(`
import subprocess
done = subprocess.run(${JSON.stringify(words)}, capture_output=True, text=True)
say(done.stdout.strip() or done.stderr.splitlines())`);
    if (!/^\d+$/u.test(said)) throw new Error(`a sender: ${said}`);
    return Number(said);
  }

  /** The same, inside a namespace behind the machine. */
  sendBoxed(script: string): Promise<number> {
    return this.send(script, 'nsenter', `--net=/run/cw-netns/${this.arena.guarded.lab.box}`);
  }

  /** The same by the runner's worker. */
  async sendAsRunner(script: string): Promise<number> {
    return Number(await this.#tell(`print = say\n${SEND}\n${script}`));
  }

  /** A sender that says a word when it has sent, and then stays. */
  async hold(script: string): Promise<void> {
    const words = [
      '/usr/bin/python3',
      '-c',
      `${SEND}\n${script}\nprint('said sent', flush=True); sys.stdin.read()`,
    ];
    const said = await this.#tell(`
import subprocess, sys
sys.held = subprocess.Popen(${JSON.stringify(words)}, stdin=subprocess.PIPE)`);
    expect(said).toBe('sent');
  }

  /** The log so far, or the lines of it that hold a word. */
  log(word = ''): Log {
    const text = this.arena.guarded.run('grep', '-F', word, AUDIT_LOG).stdout;
    return { text, records: decodeLog(text).records };
  }

  /** What the log says once the session is sealed. */
  seal(word = ''): Log {
    const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"command":"seal"}\\n'); print(s.recv(65536).decode())`;
    expect(this.arena.guarded.run('/usr/bin/python3', '-c', script).stdout).toContain('sealed');
    return this.log(word);
  }
}

/** What was sent, in every seal. */
export function trafficOf({ records }: Log): readonly Traffic[] {
  return records.filter((record): record is Traffic => record.event_type === 'traffic');
}

/** Hosts that were sent much. */
export function uploadsOf({ records }: Log): readonly LargeUpload[] {
  return records.filter((record): record is LargeUpload => record.event_type === 'large_upload');
}

/** The last seal. */
export function endOf({ records }: Log): SessionEnded {
  const end = records.findLast((one): one is SessionEnded => one.event_type === 'session_ended');
  if (end === undefined) throw new Error('the log is not sealed');
  return end;
}
