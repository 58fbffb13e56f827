// npm run bench: figures of one run, as ratios to a baseline of the same run where there is one.
// Two labs stand side by side, one guarded and one not, and take turns. `npm run bench -- flood` is
// the minute of flood alone.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { Guarded } from '../test/lab/guarded.ts';
import { runWorkflow } from '../test/lab/harness.ts';
import { Lab, OTHER4, SERVER4 } from '../test/lab/lab.ts';
import { benchDns } from './dns.ts';
import { median, residentKb, say } from './figures.ts';
import { benchFlood } from './flood.ts';
import { benchPolicy } from './policy.ts';
import { BULK_PORT, PORT, SINK } from './sink.ts';

const ROUNDS = 7;
const ROUND_MS = 1000;
const RULES = 1000;
const CLIENT = resolve('build/bench/connect');

function rate(lab: Lab): number {
  const done = lab.run(CLIENT, 'rate', SERVER4, String(PORT), String(ROUND_MS));
  if (done.code !== 0) throw new Error(`the connect bench: ${done.stderr}`);
  return Number(done.stdout);
}

/** Gigabits a second of one connection, in turns with none. */
function benchBulk(guarded: Guarded, plain: Lab): void {
  const bulk = (lab: Lab) =>
    Number(lab.run(CLIENT, 'bulk', SERVER4, String(BULK_PORT), String(ROUND_MS)).stdout);
  const rounds = Array.from({ length: ROUNDS }, () => ({
    none: bulk(plain),
    ours: bulk(guarded.lab),
  }));
  const none = rounds.map((round) => round.none);
  const noise = (Math.max(...none) - Math.min(...none)) / median(none);
  const ratio = median(rounds.map((round) => round.ours / round.none));
  say(
    'bulk throughput, against none',
    `${ratio.toFixed(2)} (noise of none ${(noise * 100).toFixed(0)} %)`,
    'goal 0.99',
  );
}

function policyOfRules(): string {
  const others = Array.from(
    { length: RULES - 1 },
    (_, index) => `10.${index >> 8}.${index & 255}.1:443`,
  );
  return [`${SERVER4}:${PORT};${BULK_PORT}`, ...others].join(',');
}

async function benchConnects(guarded: Guarded, plain: Lab): Promise<void> {
  await guarded.open();
  await plain.open();
  await guarded.lab.serve(SINK);
  await plain.serve(SINK);
  await guarded.guard({ allow: policyOfRules() });
  const ratios: number[] = [];
  const plainRates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const without = rate(plain);
    plainRates.push(without);
    ratios.push(rate(guarded.lab) / without);
  }
  const noise = (Math.max(...plainRates) - Math.min(...plainRates)) / median(plainRates);
  say(
    `connect and close, ${RULES} rules, against none`,
    `${median(ratios).toFixed(2)} (noise of none ${(noise * 100).toFixed(0)} %)`,
    'goal 0.95',
  );
  benchBulk(guarded, plain);
  const refused = guarded.run(CLIENT, 'refused', OTHER4, String(PORT), '20000');
  const [half = '', p99 = ''] = refused.stdout.trim().split(' ');
  say('refused connect, call to error', `p50 ${half} us, p99 ${p99} us`, 'goal p99 under 1000 us');
  say(
    'daemon, resident',
    `${Math.round(residentKb(guarded.lab, 'cargowall.daemon') / 1024)} MB`,
    'goal 80 MB',
  );
  say(
    'loader and keeper, anonymous',
    `${(residentKb(guarded.lab, 'cargowall.loader') / 1024).toFixed(1)} MB`,
    'goal 4 MB',
  );
}

async function benchSteps(): Promise<void> {
  const run = await runWorkflow({
    id: 'bsteps',
    workflow: 'examples/lockdown.yml',
    dist: 'build/dist',
  });
  const [main] = run.steps;
  const post = run.steps.at(-1);
  say('main, start of node to its end', `${main?.ranMs} ms`, 'goal 1000 ms');
  say('post, start of node to its end', `${post?.ranMs} ms`, 'goal 1000 ms');
}

async function benchAll(): Promise<void> {
  execFileSync('make', ['-s', '-C', 'bench/connect'], { stdio: 'inherit' });
  const guarded = new Guarded('bench');
  const plain = new Lab('plain');
  try {
    await benchConnects(guarded, plain);
  } finally {
    guarded.close();
    plain.close();
  }
  await benchPolicy();
  await benchDns();
  await benchSteps();
  process.stdout.write('\npacket programs, ns a run (the harness of the kernel included):\n');
  execFileSync('make', ['-s', '-C', 'bench/packet', 'run'], { stdio: 'inherit' });
}

await (process.argv[2] === 'flood' ? benchFlood() : benchAll());
