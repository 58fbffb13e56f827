// Forward look-ups before green (spec 7): the policy's literal names, A and AAAA, all at once.
// Failures are no errors: the name is simply asked when somebody needs it.
import { CLASS_IN, TYPE } from '../core/dns/codes.ts';
import type { Lookups } from './lookups.ts';
import type { NameJudge } from './name-judge.ts';

const AT_ONCE = 256;
const NO_BYTES = new Uint8Array(0);

/** How a question is asked: from the cache or afresh. */
type Ask = Lookups['ask'];

async function lookUp(name: string, type: number, ask: Ask, judge: NameJudge) {
  const question = { name, type, class: CLASS_IN, raw: NO_BYTES };
  const known = judge.know(question, true);
  if (known.decision.kind !== 'answer') return;
  const { response } = await ask(name, type);
  const judged = judge.judge(known, response, 0);
  if (judged.kind === 'answer') await judge.admit(known, judged);
}

/** Looks the names up, at most 256 questions at once; resolves when all have ended somehow. */
export async function preresolve(
  names: readonly string[],
  lookups: Lookups,
  judge: NameJudge,
): Promise<void> {
  const ask: Ask = (name, type) => lookups.ask(name, type);
  const waiting = names.flatMap((name) => [TYPE.A, TYPE.AAAA].map((type) => ({ name, type })));
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await lookUp(next.name, next.type, ask, judge).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Looks one name up afresh, A and AAAA; resolves when both have ended somehow. */
export async function resolveAgain(
  name: string,
  lookups: Lookups,
  judge: NameJudge,
): Promise<void> {
  const ask: Ask = (of, type) => lookups.askAgain(of, type);
  await Promise.allSettled([TYPE.A, TYPE.AAAA].map((type) => lookUp(name, type, ask, judge)));
}
