// The DNS proxy against its upstream asked directly and against dnsmasq, all in one run: added
// latency, sustained rate, and the daemon's memory after 50,000 names.
import { execFileSync, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { Guarded } from '../test/lab/guarded.ts';
import { Lab, line, SERVER4 } from '../test/lab/lab.ts';
import { residentKb, say } from './figures.ts';

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

function rate(lab: Lab, port: number, server: string): number {
  return Number(ask(lab, 'rate', server, String(port), 'many.example.com', '1500'));
}

function startDnsmasq(lab: Lab): void {
  const child = lab.spawn([
    ...['dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--cache-size=0'],
    ...['--conf-file=/dev/null', '--pid-file=', '--user=root', '--listen-address=127.0.0.1'],
    ...['--bind-interfaces', '--dns-forward-max=5000', `--port=${DNSMASQ_PORT}`],
    `--server=${SERVER4}#${PORT}`,
  ]);
  child.stdin?.end();
  for (let tries = 0; tries < 50; tries++) {
    const asked = lab.run(DNS, 'same', '127.0.0.1', String(DNSMASQ_PORT), 'many.example.com', '1');
    if (asked.code === 0) return;
  }
  throw new Error('dnsmasq does not answer');
}

function compare(guarded: Guarded, plain: Lab): void {
  const direct = latency(plain, 'same', PORT, SERVER4);
  const live = latency(guarded.lab, 'same', 53, STEERED);
  const held = latency(guarded.lab, 'same', 53, STEERED, `kept.${NAME}`);
  const first = latency(guarded.lab, 'fresh', 53, STEERED);
  say(
    'DNS, added over asking the upstream, live grant',
    `p50 ${(live.half - direct.half).toFixed(0)} us, p99 ${(live.p99 - direct.p99).toFixed(0)} us`,
    'goal p50 under 60 us',
  );
  say(
    'DNS, added, live grant, answer held for its TTL',
    `p50 ${(held.half - direct.half).toFixed(0)} us`,
  );
  say('DNS, added, first answer of a name', `p50 ${(first.half - direct.half).toFixed(0)} us`);
  startDnsmasq(plain);
  const theirs = rate(plain, DNSMASQ_PORT, '127.0.0.1');
  const ours = rate(guarded.lab, 53, STEERED);
  say(
    'DNS, sustained rate, against dnsmasq',
    `${(ours / theirs).toFixed(2)} (${Math.round(ours)} a second)`,
    'goal 1.00',
  );
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
    compare(guarded, plain);
  } finally {
    guarded.close();
    plain.close();
  }
  await benchMemory();
}
