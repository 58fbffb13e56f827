// What people run in jobs, against servers of the lab: once allowed, once refused by name, by
// address and by port. A refusal is quick, and docs/troubleshooting.md has what each tool prints.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Guarded } from '../lab/guarded.ts';
import { publishPackages } from '../lab/packages.ts';

const ALLOWED = 'registry.example.com';
const REFUSED = 'evil.example.net';
const REFUSED_ADDRESS = '198.51.100.20';
/** Name that resolves, port that no rule allows. */
const OTHER_PORT = `${ALLOWED}:8443`;
const LIMIT_MS = 3000;

const guarded = new Guarded('tools');
const docs = readFileSync('docs/troubleshooting.md', 'utf8');
let home = '';

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'cargowall-tools-'));
  await guarded.open();
  publishPackages(guarded.site(ALLOWED), `https://${ALLOWED}`);
  await guarded.guard({ allow: `${ALLOWED}:443/tcp;80/tcp` });
});
afterAll(() => {
  guarded.close();
  rmSync(home, { recursive: true, force: true });
});

const node = resolve('node_modules/node/bin');

/** Runs a tool as the job does, with a home of its own; what it printed and how long it took. */
function run(folder: string, ...command: string[]) {
  const start = performance.now();
  const path = `PATH=${node}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`;
  const done = guarded.run('env', '-i', path, `HOME=${folder}`, 'LC_ALL=C', ...command);
  return { ...done, printed: `${done.stdout}${done.stderr}`, ms: performance.now() - start };
}

interface Tool {
  readonly name: string;
  /** The command against a host (with a port where one is given), in a folder of its own. */
  readonly command: (host: string, folder: string) => readonly string[];
  /** A file there is when it worked. */
  readonly makes: string;
}

const TOOLS: readonly Tool[] = [
  {
    name: 'curl',
    command: (host, folder) => [
      ...['curl', '-sS', '--cacert', guarded.ca, '-o', `${folder}/got`],
      `https://${host}/npm/demo`,
    ],
    makes: 'got',
  },
  {
    name: 'git',
    command: (host, folder) => [
      ...['git', '-c', `http.sslCAInfo=${guarded.ca}`, 'clone', '-q'],
      ...[`https://${host}/git/demo.git`, `${folder}/demo`],
    ],
    makes: 'demo/hello',
  },
  {
    name: 'npm',
    command: (host, folder) => [
      ...['npm', 'install', 'demo', '--registry', `https://${host}/npm/`],
      ...['--cafile', guarded.ca, '--prefix', folder, '--cache', `${folder}/cache`],
      // one attempt: what is asserted is how long an attempt takes
      ...['--fetch-retries', '0', '--no-audit', '--no-fund', '--no-update-notifier'],
    ],
    makes: 'node_modules/demo/package.json',
  },
  {
    name: 'pip',
    command: (host, folder) => [
      ...['/usr/bin/python3', '-m', 'pip', 'install', '--target', `${folder}/lib`],
      ...['--index-url', `https://${host}/pypi/simple/`, '--cert', guarded.ca, '--no-cache-dir'],
      ...['--break-system-packages', '--disable-pip-version-check', '--retries', '1', 'demo'],
    ],
    makes: 'lib/demo.py',
  },
  {
    name: 'apt-get',
    command: (host, folder) => {
      const sources = `${folder}/sources.list`;
      const [name = '', port] = host.split(':');
      const at = port === undefined ? name : `${name}:${port}`;
      writeFileSync(sources, `deb [trusted=yes allow-insecure=yes] http://${at}/debian ./\n`);
      writeFileSync(`${folder}/status`, '');
      const options = {
        'Dir::Etc::sourcelist': sources,
        'Dir::Etc::sourceparts': '-',
        'Dir::State': `${folder}/state`,
        'Dir::State::status': `${folder}/status`,
        'Dir::Cache': `${folder}/cache`,
        'APT::Sandbox::User': 'root',
        'APT::Update::Error-Mode': 'any',
        'Acquire::Retries': '0',
      };
      const words = Object.entries(options)
        .map(([key, value]) => `-o${key}=${value}`)
        .join(' ');
      const script = `cd ${folder} && mkdir -p state/lists/partial cache/archives/partial && apt-get ${words} update && apt-get ${words} download demo`;
      return ['sh', '-c', script];
    },
    makes: 'demo_1.0.0_all.deb',
  },
];

function folderOf(name: string): string {
  return mkdtempSync(join(home, `${name}-`));
}

/** The messages of the docs: first column of the rows that name the tool. */
function documented(tool: string, how: string): string {
  const rows = docs.split('\n').filter((line) => line.startsWith(`| ${tool} | ${how} |`));
  const [, message] = /^\| [^|]+ \| [^|]+ \| `([^`]+)` \|/u.exec(rows[0] ?? '') ?? [];
  if (message === undefined)
    throw new Error(`docs/troubleshooting.md: no message of ${tool}, ${how}`);
  return message;
}

/** `…` in a documented message stands for anything. */
function pattern(message: string): RegExp {
  const parts = message.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&'));
  return new RegExp(parts.join('[^]*'), 'u');
}

describe.each(TOOLS)('$name', ({ name, command, makes }) => {
  test('allowed: it works', () => {
    const folder = folderOf(name);
    const { printed, code } = run(folder, ...command(ALLOWED, folder));
    expect([printed, code]).toEqual([expect.any(String), 0]);
    expect(readFileSync(join(folder, makes)).length).toBeGreaterThan(0);
  });

  test.each([
    ['name', REFUSED],
    ['address', REFUSED_ADDRESS],
    ['port', OTHER_PORT],
  ])('refused by %s: at once, and it says so', (how, host) => {
    const folder = folderOf(name);
    const { printed, code, ms } = run(folder, ...command(host, folder));
    expect(code).not.toBe(0);
    expect(printed).toMatch(pattern(documented(name, how)));
    expect(ms).toBeLessThan(LIMIT_MS);
  });
});

test('every refusal above has its record', async () => {
  const events = (await guarded.events()).filter(({ blocked }) => blocked);
  const names = events.filter(({ event_type: type }) => type === 'dns_blocked');
  expect(new Set(names.map(({ dst_hostname: host }) => host))).toContain(REFUSED);
  const flows = events.filter(({ event_type: type }) => type === 'connection_blocked');
  const targets = new Set(flows.map(({ dst_ip: ip, dst_port: port }) => `${ip} ${port}`));
  expect(targets).toContain(`${REFUSED_ADDRESS} 443`);
  expect(targets).toContain(`${REFUSED_ADDRESS} 80`);
  expect(targets).toContain('198.51.100.10 8443');
});
