import { nearest } from '../../core/policy/nearest.ts';
import { errorAt, renderProblem } from '../../core/policy/problem.ts';
import { hintFor, OTHER_NAMES } from './other-names.ts';

/** Every input that action.yml declares. */
export const INPUTS: readonly string[] = [
  'mode',
  'allowed-hosts',
  'blocked-hosts',
  'allowed-cidrs',
  'blocked-cidrs',
  'config-file',
  'search-domains',
  'github-service-hosts',
  'azure-infra-hosts',
  'allow-existing-connections',
  'on-unsupported',
  'fail-on-block',
  'expected-blocks',
  'sudo-lockdown',
  'sudo-allow-commands',
  'dns-upstream',
  'notify-url',
  'artifact-name',
  'artifact-retention-days',
  'summary',
  'github-token',
  'cgroup',
  'debug',
];

const BOOLEANS = [
  'allow-existing-connections',
  'fail-on-block',
  'sudo-lockdown',
  'summary',
  'debug',
] as const;

const TRUE_OR_FALSE: readonly string[] = ['true', 'false'];
/** What an input may be, where that is one of two words. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['mode', ['enforce', 'audit']],
  ['on-unsupported', ['fail', 'warn']],
  ...BOOLEANS.map((name) => [name, TRUE_OR_FALSE] as const),
]);

/** The inputs of a start, trimmed; texts of the policy are parsed in core. */
export interface RawInputs {
  readonly texts: ReadonlyMap<string, string>;
  readonly mode: 'enforce' | 'audit';
  readonly onUnsupported: 'fail' | 'warn';
  readonly failOnBlock: boolean;
  readonly summary: boolean;
  readonly debug: boolean;
}

/**
 * Reads all inputs from an environment, and tells every error: unknown inputs first, then the
 * declared ones in order. Where there is one, the value is for finding further errors alone.
 */
export function readInputs(environment: Readonly<Record<string, string | undefined>>): {
  readonly inputs: RawInputs;
  readonly errors: readonly string[];
} {
  const errors = unknownInputs(environment);
  const texts = new Map<string, string>();
  for (const name of INPUTS) {
    const value = (environment[`INPUT_${name.toUpperCase()}`] ?? '').trim();
    const expected = WORDS.get(name);
    const text = expected === TRUE_OR_FALSE ? value.toLowerCase() : value;
    texts.set(name, text);
    if (expected !== undefined && !expected.includes(text)) {
      errors.push(wrongInput(name, value, expected.join(' or ') + otherWord(name, value)));
    }
  }
  const mode = texts.get('mode') === 'audit' ? 'audit' : 'enforce';
  const onUnsupported = texts.get('on-unsupported') === 'warn' ? 'warn' : 'fail';
  const is = (name: (typeof BOOLEANS)[number]) => texts.get(name) === 'true';
  const failOnBlock = is('fail-on-block');
  const summary = is('summary');
  const debug = is('debug');
  return { inputs: { texts, mode, onUnsupported, failOnBlock, summary, debug }, errors };
}

/** The error of an input that is wrong as a whole. */
export function wrongInput(name: string, found: string, expected: string): string {
  return renderProblem(errorAt({ source: `input ${name}`, line: 1, column: 1 }, found, expected));
}

/** What other actions call the same. */
function otherWord(name: string, found: string): string {
  return name === 'mode' && found === 'block' ? '; "block" is "enforce" here' : '';
}

function unknownInputs(environment: Readonly<Record<string, string | undefined>>): string[] {
  const errors: string[] = [];
  for (const key of Object.keys(environment).sort()) {
    if (!key.startsWith('INPUT_')) continue;
    const name = key.slice('INPUT_'.length).toLowerCase();
    if (INPUTS.includes(name)) continue;
    errors.push(`input ${name}: unknown. ${didYouMean(name)}`);
  }
  return errors;
}

function didYouMean(name: string): string {
  const dashed = name.replaceAll(/[_ ]/gu, '-');
  const exact = hintFor(dashed);
  if (exact !== undefined) return exact;
  const meant = nearest(dashed, [...INPUTS, ...OTHER_NAMES]);
  if (meant === undefined) return `Remove it, or write one of ${INPUTS.join(', ')}`;
  return hintFor(meant) ?? `Did you mean "${meant}"?`;
}
