// The DNS proxy against its upstream asked directly and against dnsmasq, all in one run: added
// latency, sustained rate, and the daemon's memory after 50,000 names.
import { execFileSync, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { Guarded } from '../test/lab/guarded.ts';
import { Lab, line, SERVER4 } from '../test/lab/lab.ts';
import { median, residentKb, say } from './figures.ts';

const DNS = resolve('build/bench/dns');
const PORT = 5353;
const DNSMASQ_PORT = 5454;
const NAMES = 50_000;
const NAME = 'many.example.com';
/** A resolver nobody has: what is sent there is steered to the proxy. */
const STEERED = '192.0.2.53';

/** The scripted upstream in a lab's internet. */
async function serve(lab: Lab): Promise<void> {
  const words = ['netns', 'exec', lab.net, DNS, 'serve', SERVER4, String(PORT)];
  const child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  lab.adopt(child);
  await line(child, 'ready');
}

function ask(lab: Lab, ...words: string[]): string {
  const done = lab.run(DNS, ...words);
  if (done.code !== 0) throw new Error(`the DNS bench: ${words.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** Median and 99th percentile in microseconds. */
function latency(lab: Lab, kind: 'same' | 'fresh', port: number, server: string, name = NAME) {
  const [half, p99] = ask(lab, kind, server, String(port), name, '4000').split(' ');
  return { half: Number(half), p99: Number(p99) };
}

/** Answers a second: of ever new names, or of a hundred whose answers may be held. */
function rate(lab: Lab, kind: 'rate' | 'held', port: number, server: string): number {
  return Number(ask(lab, kind, server, String(port), NAME, '1500'));
}

function startDnsmasq(lab: Lab, port: number, cacheSize: number): void {
  const child = lab.spawn([
    ...['dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null'],
    ...['--pid-file=', '--user=root', '--listen-address=127.0.0.1', '--bind-interfaces'],
    ...['--dns-forward-max=5000', `--cache-size=${cacheSize}`, `--port=${port}`],
    `--server=${SERVER4}#${PORT}`,
  ]);
  child.stdin?.end();
  for (let tries = 0; tries < 50; tries++) {
    const asked = lab.run(DNS, 'same', '127.0.0.1', String(port), NAME, '1');
    if (asked.code === 0) return;
  }
  throw new Error('dnsmasq does not answer');
}

function compareLatency(guarded: Guarded, plain: Lab): void {
  const direct = latency(plain, 'same', PORT, SERVER4);
  const added = (...question: ['same' | 'fresh', string]) => {
    const [kind, name] = question;
    const { half, p99 } = latency(guarded.lab, kind, 53, STEERED, name);
    return `p50 ${(half - direct.half).toFixed(0)} us, p99 ${(p99 - direct.p99).toFixed(0)} us`;
  };
  const what = 'DNS, added over asking the upstream';
  say(`${what}, live grant`, added('same', `kept.${NAME}`), 'goal p50 under 60 us');
  say('DNS, added, live grant, TTL 0', added('same', NAME));
  say('DNS, added, first answer of a name', added('fresh', NAME));
}

function compareRate(guarded: Guarded, plain: Lab): void {
  const kinds = [
    ['held', 'names asked again, both hold answers', 10_000, 'goal 1.00'],
    ['rate', 'new names only', 0, 'no goal'],
  ] as const;
  for (const [index, [kind, what, cacheSize, goal]] of kinds.entries()) {
    const port = DNSMASQ_PORT + index;
    startDnsmasq(plain, port, cacheSize);
    const rounds = [1, 2, 3].map(() => ({
      theirs: rate(plain, kind, port, '127.0.0.1'),
      ours: rate(guarded.lab, kind, 53, STEERED),
    }));
    const ratio = median(rounds.map(({ ours, theirs }) => ours / theirs));
    const ours = Math.round(median(rounds.map((round) => round.ours)));
    const figure = `${ratio.toFixed(2)} (${ours} a second)`;
    say(`DNS rate against dnsmasq, ${what}`, figure, goal);
  }
}

/** A session of its own, which sees exactly the names that are counted. */
async function benchMemory(): Promise<void> {
  const guarded = new Guarded('bnames');
  try {
    await guarded.open();
    await serve(guarded.lab);
    const upstream = { address: SERVER4, port: PORT };
    await guarded.guard({ allow: 'many.example.com:443/tcp', upstream });
    const resident = () => Math.round(residentKb(guarded.lab, 'cargowall.daemon') / 1024);
    const before = resident();
    for (let part = 0; part < 10; part++) {
      const suffix = `p${part}.many.example.com`;
      ask(guarded.lab, 'fresh', STEERED, '53', suffix, String(NAMES / 10));
    }
    say(
      `daemon, resident, after ${NAMES} names`,
      `${resident()} MB (${before} MB before)`,
      'goal under 120 MB',
    );
  } finally {
    guarded.close();
  }
}

/** Prints the figures of DNS. */
export async function benchDns(): Promise<void> {
  execFileSync('make', ['-s', '-C', 'bench/dns'], { stdio: 'inherit' });
  const guarded = new Guarded('bdns');
  const plain = new Lab('bplain');
  try {
    await guarded.open();
    await plain.open();
    await serve(guarded.lab);
    await serve(plain);
    const upstream = { address: SERVER4, port: PORT };
    await guarded.guard({ allow: 'many.example.com:443/tcp', upstream });
    compareLatency(guarded, plain);
    compareRate(guarded, plain);
  } finally {
    guarded.close();
    plain.close();
  }
  await benchMemory();
}
