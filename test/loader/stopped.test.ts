// Keeper and loader stopped together, so that neither sees the other, for ten seconds (threats.md 108): the job
// stays closed, names fail within their two seconds, post keeps its deadline, and all goes on behind it.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { Told } from '../bypass/told.ts';
import { Guarded } from '../lab/guarded.ts';
import { until } from '../lab/lab.ts';
import { findLoader, logOf, type Pair, statusOf } from '../lab/loader-processes.ts';
import { jobConnect } from '../lab/started.ts';

const REGISTRY = '198.51.100.10';
const OTHER = '198.51.100.20';
const NAME = 'registry.example.com';
const STOPPED_MS = 10_000;
/** A program's own start on a busy machine. */
const START_MS = 1500;
const POST_MS = 5000;

const told = new Told();
let guarded: Guarded;
beforeEach(async () => {
  guarded = new Guarded('stopped');
  await guarded.open();
  await guarded.guard({ allow: '*.example.com:443' });
});
afterEach(() => guarded.close());
afterAll(() => told.print());

/** The code a question is answered with, or the exception, and the milliseconds it took. */
function ask(name: string): { answer: string; ms: number } {
  const script = `
import socket, time
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6)
for l in '${name}'.split('.'): q += bytes([len(l)]) + l.encode()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4); since = time.monotonic()
s.sendto(q + b'\\0\\0\\1\\0\\1', ('192.0.2.53', 53))
try: answer = 'rcode %d' % (s.recv(512)[3] & 15)
except OSError as e: answer = type(e).__name__
print(answer, (time.monotonic() - since) * 1000, sep=',')`;
  const [answer = '', ms] = guarded.run('/usr/bin/python3', '-c', script).stdout.split(',');
  return { answer, ms: Number(ms) };
}

/** As post asks, with its deadline. */
function post(command: string): { answer: string; ms: number } {
  const module = resolve('src/edge/host/control-socket.ts');
  const source = `
import { askControl } from '${module}';
const asked = askControl('/run/cargowall/control.sock', { command: '${command}' }, ${POST_MS});
console.log(await asked.catch((error) => error.message));`;
  const since = Date.now();
  const done = guarded.run(process.execPath, '--input-type=module', '-e', source);
  return { answer: done.stdout, ms: Date.now() - since };
}

/** Stops both: again, where one had the other go on in between. */
async function stopBoth(): Promise<Pair> {
  let pair: Pair | undefined;
  await until(() => {
    pair = findLoader(guarded.lab);
    if (pair === undefined) return false;
    const { keeper, proper } = pair;
    spawnSync('kill', ['-STOP', String(keeper), String(proper)]);
    return [keeper, proper].every((pid) => statusOf(pid, 'State') === 'T');
  }, 'both to stand still');
  if (pair === undefined) throw new Error('there is no loader');
  return pair;
}

test.each([
  ['the keeper first', ['keeper', 'proper']],
  ['the loader first', ['proper', 'keeper']],
] as const)(
  'stopped together for ten seconds, going on with %s',
  async (what, order) => {
    expect(ask(NAME).answer).toBe('rcode 0');
    const pair = await stopBoth();
    const since = Date.now();
    try {
      for (const pid of [pair.keeper, pair.proper]) expect(statusOf(pid, 'State')).toBe('T');
      expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
      expect(jobConnect(guarded.lab, REGISTRY)).toBe('connected');
      for (const [name, answer] of [
        ['mirror.example.com', 'rcode 2'],
        ['evil.example.net', 'rcode 5'],
      ] as const) {
        const asked = ask(name);
        expect(asked.answer).toBe(answer);
        expect(asked.ms).toBeLessThan(2000);
      }
      // what was granted before is answered as before
      expect(ask(NAME).answer).toBe('rcode 0');
      const sealed = post('seal');
      expect(sealed.answer).toContain(
        `no answer on /run/cargowall/control.sock within ${POST_MS} ms`,
      );
      expect(sealed.ms).toBeLessThan(POST_MS + START_MS);
      // nothing tells the time but a clock
      await until(() => Date.now() - since >= STOPPED_MS, 'ten seconds', STOPPED_MS);
      for (const pid of [pair.keeper, pair.proper]) expect(statusOf(pid, 'State')).toBe('T');
      expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
    } finally {
      // the first one may have ended the second, which stood still
      for (const which of order) spawnSync('kill', ['-CONT', String(pair[which])]);
    }
    await until(() => ask('mirror.example.com').answer === 'rcode 0', 'names are served');
    expect(jobConnect(guarded.lab, OTHER)).toBe('PermissionError');
    expect(logOf(guarded.lab)).toMatch(
      /daemon_restarted|the loader had been stopped, and goes on/u,
    );
    expect(JSON.parse(post('seal').answer)).toMatchObject({ sealed: true });
    const refused = await guarded.events(
      (all) => all.filter(({ dst_ip: ip, blocked }) => ip === OTHER && blocked).length >= 3,
    );
    expect(refused.filter(({ dst_ip: ip }) => ip === OTHER)).toHaveLength(3);
    told.closed(108, `keeper and loader are stopped together, going on with ${what}`);
  },
  60_000,
);
