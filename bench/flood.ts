// A minute of refused datagrams, 200,000 a second, with one other destination in it. What the flood
// takes from allowed traffic is compared with what the same flooder takes from it in a lab without a
// wall, where a route refuses what it sends: on few cores the flooder itself takes the most.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AuditEvent } from '../src/core/audit/event.ts';
import { decodeRecord } from '../src/core/audit/jsonl.ts';
import { readLines } from '../src/edge/host/audit-file.ts';
import { Guarded } from '../test/lab/guarded.ts';
import { Lab, line, SERVER4, until } from '../test/lab/lab.ts';
import { median, pidsOf, say } from './figures.ts';
import { BULK_PORT, PORT, SINK } from './sink.ts';

const RATE = 200_000;
const SECONDS = 60;
const FLOODED = '203.0.113.98';
const NEEDLE = '203.0.113.99';
const CLIENT = resolve('build/bench/connect');
const FLOOD = resolve('build/test-bypass/flood');
const ALONE_ROUNDS = 5;
const CONNECTS_MS = 500;
const BULK_MS = 1000;
/** Of the flood's minute, left over for the last round. */
const LAST_MS = 6000;

/** Rates of allowed traffic. */
interface Rates {
  /** Connections opened and closed, a second. */
  readonly connects: number;
  /** Gigabits a second of one connection. */
  readonly bulk: number;
}

function measure(lab: Lab): Rates {
  const rate = (what: string, port: number, ms: number) => {
    const done = lab.run(CLIENT, what, SERVER4, String(port), String(ms));
    if (done.code !== 0) throw new Error(`the flood bench: ${what}: ${done.stderr}`);
    return Number(done.stdout);
  };
  return {
    connects: rate('rate', PORT, CONNECTS_MS),
    bulk: rate('bulk', BULK_PORT, BULK_MS),
  };
}

function medians(rounds: readonly Rates[]): Rates {
  return {
    connects: median(rounds.map(({ connects }) => connects)),
    bulk: median(rounds.map(({ bulk }) => bulk)),
  };
}

/** What a flood did. */
interface Flooded {
  readonly made: number;
  readonly seconds: number;
  /** Shares of the rates alone that were left under it. */
  readonly kept: Rates;
}

/** Measures alone, then under the flood; `meanwhile` runs once in the middle of it. */
async function flooded(lab: Lab, meanwhile: () => void): Promise<Flooded> {
  const alone = medians(Array.from({ length: ALONE_ROUNDS }, () => measure(lab)));
  const flood = lab.spawn([FLOOD, FLOODED, '9', String(RATE), String(SECONDS)]);
  const counted = line(flood, ' ', (SECONDS + 60) * 1000);
  const start = performance.now();
  const rounds: Rates[] = [];
  for (let at = 0; at < SECONDS * 1000 - LAST_MS; at = performance.now() - start) {
    rounds.push(measure(lab));
    if (rounds.length === ALONE_ROUNDS) meanwhile();
  }
  const [made = 0, , seconds = 1] = (await counted).split(' ').map(Number);
  const under = medians(rounds);
  const kept = { connects: under.connects / alone.connects, bulk: under.bulk / alone.bulk };
  return { made, seconds, kept };
}

function logOf(lab: Lab): string {
  const [, , holder] = lab.enter([]);
  return `/proc/${holder}/root/run/cargowall/records/audit.jsonl`;
}

/** Records of one destination; the log has those of every allowed connection besides. */
function recordsTo(lab: Lab, address: string): readonly AuditEvent[] {
  const found: AuditEvent[] = [];
  readLines(logOf(lab), (text) => {
    if (!text.includes(`"${address}"`)) return;
    const record = decodeRecord(text);
    if (record !== undefined && 'pid' in record && 'dst_ip' in record) found.push(record);
  });
  return found;
}

function sum(records: readonly AuditEvent[]): number {
  return records.reduce((total, { count = 1 }) => total + count, 0);
}

/** The most a daemon has had, in MB. */
function peakMb(lab: Lab): number {
  const sizes = pidsOf(lab, 'cargowall.daemon').map((pid) =>
    Number(/^VmHWM:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
  );
  return Math.round(Math.max(...sizes) / 1024);
}

async function compare(guarded: Guarded, plain: Lab): Promise<void> {
  const without = await flooded(plain, () => undefined);
  const { lab } = guarded;
  const ours = await flooded(lab, () => {
    lab.run(CLIENT, 'refused', NEEDLE, '443', '1');
  });
  await until(
    () => sum(recordsTo(lab, FLOODED)) >= ours.made,
    'the log to have every attempt',
    30_000,
  );
  const attempts = recordsTo(lab, FLOODED);
  const needles = recordsTo(lab, NEEDLE);
  const isOwn = needles.length === 1 && sum(needles) === 1;
  say(
    'flood, refused datagrams',
    `${ours.made}, ${Math.round(ours.made / ours.seconds)} a second`,
    `goal ${RATE} a second`,
  );
  say(
    'flood, sum of the records',
    `${sum(attempts) - ours.made} off in ${attempts.length} records`,
    'goal 0 off',
  );
  say('flood, the one other destination', isOwn ? 'its own record' : 'LOST', 'goal its own record');
  say('flood, daemon, most resident', `${peakMb(lab)} MB`, 'goal under 120 MB');
  for (const [what, kind] of [
    ['connects', 'connects'],
    ['bulk throughput', 'bulk'],
  ] as const) {
    const [mine, theirs] = [ours.kept[kind], without.kept[kind]];
    say(
      `flood, allowed ${what} kept, against no wall`,
      `${(mine / theirs).toFixed(2)} (${mine.toFixed(2)} and ${theirs.toFixed(2)} of the rate alone)`,
      'goal 0.90',
    );
  }
}

/** Prints the figures of the flood; some three minutes. */
export async function benchFlood(): Promise<void> {
  execFileSync('make', ['-s', '-C', 'bench/connect'], { stdio: 'inherit' });
  execFileSync('make', ['-s', '-C', 'test/bypass/flood'], { stdio: 'inherit' });
  const guarded = new Guarded('bflood');
  const plain = new Lab('bflat');
  try {
    await guarded.open();
    await plain.open();
    await guarded.lab.serve(SINK);
    await plain.serve(SINK);
    plain.run('ip', 'route', 'add', 'prohibit', FLOODED);
    await guarded.guard({ allow: `${SERVER4}:${PORT};${BULK_PORT}` });
    await compare(guarded, plain);
  } finally {
    guarded.close();
    plain.close();
  }
}
