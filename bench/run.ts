// npm run bench: figures of one run, as ratios to a baseline of the same run where there is one.
// Two labs stand side by side, one guarded and one not, and take turns.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Guarded } from '../test/lab/guarded.ts';
import { runWorkflow } from '../test/lab/harness.ts';
import { Lab, OTHER4, SERVER4 } from '../test/lab/lab.ts';

const ROUNDS = 7;
const ROUND_MS = 1000;
const PORT = 9443;
const RULES = 1000;
const CLIENT = resolve('build/bench/connect');
const SINK = `
import socket, threading
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('${SERVER4}', ${PORT})); l.listen(4096); print('ready', flush=True)
while True:
    c, _ = l.accept(); c.close()
`;

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function say(what: string, figure: string, goal = ''): void {
  process.stdout.write(`${what.padEnd(46)} ${figure.padEnd(34)} ${goal}\n`);
}

function rate(lab: Lab): number {
  const done = lab.run(CLIENT, 'rate', SERVER4, String(PORT), String(ROUND_MS));
  if (done.code !== 0) throw new Error(`the connect bench: ${done.stderr}`);
  return Number(done.stdout);
}

function policyOfRules(): string {
  const others = Array.from(
    { length: RULES - 1 },
    (_, index) => `10.${index >> 8}.${index & 255}.1:443`,
  );
  return [`${SERVER4}:${PORT}`, ...others].join(',');
}

function residentKb(lab: Lab, cgroup: string): number {
  const pids = readFileSync(`${lab.cgroup}/${cgroup}/cgroup.procs`, 'utf8')
    .split('\n')
    .filter(Boolean);
  const field = cgroup.endsWith('loader') ? 'RssAnon' : 'VmRSS';
  return pids
    .map((pid) =>
      new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')),
    )
    .reduce((sum, found) => sum + Number(found?.[1] ?? 0), 0);
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

execFileSync('make', ['-s', '-C', 'bench/connect'], { stdio: 'inherit' });
const guarded = new Guarded('bench');
const plain = new Lab('plain');
try {
  await benchConnects(guarded, plain);
} finally {
  guarded.close();
  plain.close();
}
await benchSteps();
process.stdout.write('\npacket programs, ns a run (the harness of the kernel included):\n');
execFileSync('make', ['-s', '-C', 'bench/packet', 'run'], { stdio: 'inherit' });
