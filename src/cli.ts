#!/usr/bin/env node
// Composition root of the command line: lint and explain.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { consoleJson } from './core/audit/console-json.ts';
import { localAddresses } from './core/dns/decide-query.ts';
import { isGuarded } from './core/dns/guard.ts';
import type { Address } from './core/net/address.ts';
import { buildPolicy } from './core/policy/build-policy.ts';
import type { PolicyDocument } from './core/policy/document.ts';
import {
  allowsAny,
  type ExplainedRange,
  type Explanation,
  explain,
} from './core/policy/explain.ts';
import { parseSubject } from './core/policy/parse-subject.ts';
import {
  codePoints,
  Fault,
  firstLines,
  type PolicyProblem,
  renderProblem,
} from './core/policy/problem.ts';
import { consoleLine } from './core/report/sanitise.ts';
import { readPolicyFile, readPolicyStream } from './edge/host/policy-file.ts';

const USAGE = `usage:
  cargowall lint POLICY [options]
  cargowall explain POLICY HOST[:PORT[/PROTO]] [options]
POLICY is a policy file, or - for standard input.
options:
  --json                            print JSON
  --allow --block HOSTS             entries as in allowed-hosts and blocked-hosts
  --allow-cidr --block-cidr CIDRS   entries as in allowed-cidrs and blocked-cidrs
exit codes: 0 fine or allowed, 1 denied, 2 policy or usage error`;

/** Every machine's; the addresses are known on the runner alone. */
const MACHINES_NAMES: ReadonlyMap<string, readonly Address[]> = new Map([['_gateway', []]]);

interface Values {
  readonly json: boolean;
  readonly help: boolean;
  readonly allow: string;
  readonly block: string;
  readonly allowCidr: string;
  readonly blockCidr: string;
}

function readArguments(args: readonly string[]): { values: Values; positionals: string[] } {
  const texts = { type: 'string', multiple: true } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      allow: texts,
      block: texts,
      'allow-cidr': texts,
      'block-cidr': texts,
    },
  });
  const joined = (list: readonly string[] | undefined) => (list ?? []).join('\n');
  return {
    positionals,
    values: {
      json: values.json ?? false,
      help: values.help ?? false,
      allow: joined(values.allow),
      block: joined(values.block),
      allowCidr: joined(values['allow-cidr']),
      blockCidr: joined(values['block-cidr']),
    },
  };
}

function readDocument(path: string): Promise<PolicyDocument> {
  return path === '-' ? readPolicyStream(process.stdin, '-') : readPolicyFile(path);
}

function build(values: Values, document: PolicyDocument) {
  const inputs = {
    allowedHosts: values.allow,
    blockedHosts: values.block,
    allowedCidrs: values.allowCidr,
    blockedCidrs: values.blockCidr,
    searchDomains: '',
    githubServiceHosts: '',
    azureInfraHosts: '',
    sudoLockdown: false,
    sudoAllowCommands: '',
    expectedBlocks: '',
  };
  return buildPolicy(inputs, document, { actionsUrls: [], serverUrl: '' });
}

/** One line; what a policy says in it is no command of the runner's. */
function print(text: string): void {
  process.stdout.write(`${consoleLine(text)}\n`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${consoleJson(value)}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${consoleLine(text)}\n`);
}

function linesOf(problems: readonly PolicyProblem[], kind: 'error' | 'warning') {
  const lines = problems.map((problem) => `${kind}: ${renderProblem(problem)}`);
  return firstLines(lines, `${kind}s`);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function lint(values: Values, document: PolicyDocument): number {
  const built = build(values, document);
  const errors = 'errors' in built ? built.errors : [];
  if (values.json) printJson({ errors, warnings: built.warnings });
  else {
    for (const line of linesOf(errors, 'error')) print(line);
    for (const line of linesOf(built.warnings, 'warning')) print(line);
    print(`${counted(errors.length, 'error')}, ${counted(built.warnings.length, 'warning')}`);
  }
  return errors.length > 0 ? 2 : 0;
}

function because(part: Pick<ExplainedRange, 'verdict' | 'by' | 'rule'>): string {
  const { verdict, by, rule } = part;
  if (rule === null) return `${verdict} (${by})`;
  return `${verdict} (${by} "${rule.target}", ${rule.source} line ${rule.line} column ${rule.column})`;
}

function locally({ local }: Explanation): string {
  if (local === undefined) return '';
  if (local.length > 0)
    return `, by the machine itself: ${local.join(', ')}; host rules say nothing of it`;
  return ', by the machine itself; host rules say nothing of it: explain its address';
}

function printExplanation(explanation: Explanation): void {
  const plain = explanation.host ?? explanation.address ?? '';
  const subject = plain.includes(':') ? `[${plain}]` : plain;
  if ('pairs' in explanation) {
    print(plain);
    for (const range of explanation.pairs) {
      const ports = range.from === range.to ? `${range.from}` : `${range.from}-${range.to}`;
      print(
        `  ${range.protocol === 'icmp' ? 'icmp' : `${ports}/${range.protocol}`}: ${because(range)}`,
      );
    }
  } else print(`${subject}:${explanation.port}/${explanation.protocol}: ${because(explanation)}`);
  if (explanation.dns !== null) print(`  dns: ${explanation.dns}${locally(explanation)}`);
  if (explanation.guarded === true) print('  guarded: an answer with this address opens nothing');
}

function explainSubject(values: Values, document: PolicyDocument, text: string): number {
  const built = build(values, document);
  if ('errors' in built) {
    for (const line of linesOf(built.errors, 'error')) complain(line);
    return 2;
  }
  const { subject, pair } = parseSubject(text);
  const explanation = explain(built.policy, subject, pair, {
    isGuarded: (address) => isGuarded(address, () => false),
    localAddresses: (host) => localAddresses(host, MACHINES_NAMES),
  });
  if (values.json) printJson(explanation);
  else printExplanation(explanation);
  return allowsAny(explanation) ? 0 : 1;
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  const [command, path, subject, ...rest] = positionals;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (command === 'lint' && path !== undefined && subject === undefined) {
    return lint(values, await readDocument(path));
  }
  if (command === 'explain' && path !== undefined && subject !== undefined && rest.length === 0) {
    return explainSubject(values, await readDocument(path), subject);
  }
  process.stderr.write(`${USAGE}\n`);
  return 2;
}

function messageOf(error: unknown, args: readonly string[]): string {
  if (error instanceof Fault) {
    const subject = args.find((text) => text.includes(error.found)) ?? '';
    const found = error.found === '' ? 'nothing' : `"${error.found}"`;
    return `HOST column ${codePoints(subject, error.at) + 1}: found ${found}, expected ${error.expected}`;
  }
  return error instanceof Error ? error.message : String(error);
}

const args = process.argv.slice(2);
// Whoever reads has seen enough (`| head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
try {
  process.exitCode = await run(args);
} catch (error) {
  complain(`error: ${messageOf(error, args)}`);
  process.exitCode = 2;
}
