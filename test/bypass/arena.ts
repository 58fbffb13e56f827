// Where attempts to get round the wall are made: a guarded lab, a sniffer of every frame that leaves
// the machine, and attempts with a marker of their own. What arrived is what the sniffer saw.
import { Guarded } from '../lab/guarded.ts';
import { eachLine, type Result, until } from '../lab/lab.ts';

/** Allowed: 443/tcp, 9/udp and ICMP of it, and nothing else of the internet. */
export const ALLOWED = '198.51.100.10';
export const ALLOWED6 = '2001:db8:1::10';
/** Never allowed. */
export const ATTACKER = '198.51.100.20';
export const ATTACKER6 = '2001:db8:1::66';

/** What an attempt may do: an ordinary user, one with CAP_NET_RAW, root. */
export type Privilege = 'U' | 'N' | 'R';

const USER = ['--reuid=1001', '--regid=1001', '--clear-groups'];
const WORDS: Readonly<Record<Privilege, readonly string[]>> = {
  U: ['setpriv', ...USER, '--inh-caps=-all', '--bounding-set=-all', '--'],
  N: ['setpriv', ...USER, '--inh-caps=-all,+net_raw', '--ambient-caps=+net_raw', '--'],
  R: [],
};

const SNIFFER = `
import re, socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('up1', 0))
print('ready', flush=True)
while True:
    d, a = s.recvfrom(65536)
    if a[2] == 4: continue
    for m in re.findall(rb'mark-[0-9a-z-]+!', d): print('arrived ' + m.decode(), flush=True)
`;

/** Prelude of every attempt: `M` is the marker, the rest makes packets by hand. */
const PRELUDE = `
import ctypes, os, socket, struct, sys
TO, M = sys.argv[1], sys.argv[2].encode()
def ipv4(proto, payload, to=None):
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0,
        socket.inet_aton('192.0.2.2'), socket.inet_aton(to or TO))
    s = sum(struct.unpack('>10H', head)); s = (s >> 16) + (s & 0xffff)
    return head[:10] + struct.pack('>H', ~s & 0xffff) + head[12:] + payload
# a flow of its own each time: one flow has one record
def udp(payload, port=9): return struct.pack('>HHHH', 30000 + os.getpid() % 30000, port, 8 + len(payload), 0) + payload
def frame(kind, payload):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('up0', 0))
    s.send(b'\\xff' * 6 + s.getsockname()[4] + kind + payload)
try:
`;
const END = `
except OSError as e: print(type(e).__name__, e.errno)
else: print('sent')
`;

/** A guarded lab with its sniffer. */
export class Arena {
  readonly guarded = new Guarded('bypass');
  readonly #arrived = new Set<string>();
  #count = 0;

  async open(): Promise<void> {
    await this.guarded.open();
    const sniffer = await this.guarded.lab.serve(SNIFFER);
    eachLine(sniffer, (text) => this.#arrived.add(text.replace('arrived ', '')));
    const groups = 'echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range';
    this.guarded.run('sh', '-c', groups);
    await this.guarded.guard({
      allow: `registry.example.com:443/tcp, ${ALLOWED}:9/udp, [${ALLOWED6}]:9/udp`,
      icmp: ALLOWED,
    });
  }

  /** Makes an attempt; its marker, and what it said. */
  attempt(privilege: Privilege, script: string, to: string): Result & { readonly marker: string } {
    const marker = `mark-${(this.#count++).toString(36)}-${to.replace(/\W/gu, '-')}!`;
    const body = script.trim().replace(/^/gmu, '    ');
    const words = ['/usr/bin/python3', '-c', `${PRELUDE}${body}${END}`, to, marker];
    return { ...this.guarded.run(...WORDS[privilege], ...words), marker };
  }

  /** Whether a marker has left the machine; `awaited`: it must, and is waited for. */
  async hasArrived(marker: string, awaited: boolean): Promise<boolean> {
    if (awaited) await until(() => this.#arrived.has(marker), `${marker} to arrive`);
    else await this.#barrier();
    return this.#arrived.has(marker);
  }

  /** A datagram that passes, sent after the attempt: once it is seen, what came before is too. */
  async #barrier(): Promise<void> {
    const { marker } = this.attempt(
      'U',
      `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(M, (TO, 9))`,
      ALLOWED,
    );
    await until(() => this.#arrived.has(marker), 'the barrier');
  }

  close(): void {
    this.guarded.close();
  }
}
