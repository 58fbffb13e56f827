// 10,000 rules: compiled and installed by a real start, and how long one decision takes.
import { parseAddress } from '../src/core/net/address.ts';
import { decideAddress } from '../src/core/policy/decide-address.ts';
import { decideName } from '../src/core/policy/decide-name.ts';
import { aSessionPolicy } from '../test/builders/a-session-policy.ts';
import { Guarded } from '../test/lab/guarded.ts';
import { median, say } from './figures.ts';

const RULES = 10_000;
const DECISIONS = 20_000;
const ROUNDS = 5;

/** A third each of names, patterns and addresses. */
function entries(): string {
  return Array.from({ length: RULES }, (_, index) => {
    if (index % 3 === 0) return `host${index}.example.com:443`;
    if (index % 3 === 1) return `*.zone${index}.example.org:443`;
    return `10.${index >> 8}.${index & 255}.0/24:443`;
  }).join('\n');
}

/** Microseconds of one decision, the median of some rounds. */
function microseconds(decide: (index: number) => void): string {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = process.hrtime.bigint();
    for (let index = 0; index < DECISIONS; index++) decide(index);
    return Number(process.hrtime.bigint() - start) / 1000 / DECISIONS;
  });
  return median(rounds).toFixed(1);
}

function benchDecisions(): void {
  const policy = aSessionPolicy({ allow: entries() });
  const asked = [0, 1, 2].map((kind) => (index: number) => {
    const some = (index % (RULES / 3)) * 3 + kind;
    return kind === 0 ? `a.host${some}.example.com` : `a.zone${some}.example.org`;
  });
  const name = microseconds((index) => {
    const of = asked[index % 2];
    if (of !== undefined) decideName(policy, of(index), { runner: false });
  });
  const addresses = Array.from(
    { length: 256 },
    (_, index) => parseAddress(`10.${index % 40}.${index}.7`) ?? new Uint8Array(16),
  );
  const address = microseconds((index) => {
    const to = addresses[index & 255];
    if (to !== undefined) decideAddress(policy, to, 'tcp', 443);
  });
  say(
    `one decision, ${RULES} rules, in the daemon`,
    `name ${name} us, address ${address} us`,
    'goal under 5 us',
  );
}

async function benchInstall(): Promise<void> {
  const guarded = new Guarded('brules');
  try {
    await guarded.open();
    const said = await guarded.guard({ allow: entries(), debug: true });
    const note = said.find((line) => line.includes('policy entries are in the kernel')) ?? '';
    const [, count = '', ms = ''] =
      /"(\d+) policy entries are in the kernel, (\d+) ms/.exec(note) ?? [];
    say(
      `${RULES} rules compiled and installed`,
      `${ms} ms (${count} entries)`,
      'goal under 300 ms',
    );
  } finally {
    guarded.close();
  }
}

/** Prints the figures of big policies. */
export async function benchPolicy(): Promise<void> {
  benchDecisions();
  await benchInstall();
}
