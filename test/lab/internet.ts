// The lab's internet: a resolver, web servers and the runner's service, inside the lab's own
// namespace. Every question and every upload is kept for the tests to look at.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Lab, line } from './lab.ts';

/** Names of the lab's internet and their addresses. */
export const HOSTS: Readonly<Record<string, readonly string[]>> = {
  'registry.example.com': ['198.51.100.10', '2001:db8:1::10'],
  'mirror.example.com': ['198.51.100.11'],
  'evil.example.net': ['198.51.100.20'],
  'github.com': ['198.51.100.30'],
  'api.github.com': ['198.51.100.30'],
  'hooks.example.com': ['198.51.100.50'],
  'results-receiver.actions.githubusercontent.com': ['198.51.100.40'],
  'productionresultssa7.blob.core.windows.net': ['198.51.100.41'],
};

const RESOLVERS = ['192.0.2.53', '2001:db8::53'];

/** A running internet. */
export interface Internet {
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** Files uploaded so far, by name. */
  uploads(): ReadonlyMap<string, Buffer>;
  /** What the resolver and the servers heard, one line each. */
  heard(): readonly string[];
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function addAddresses(lab: Lab): void {
  const taken = execFileSync('ip', ['-n', lab.net, 'addr'], { encoding: 'utf8' });
  for (const address of new Set([...RESOLVERS, ...Object.values(HOSTS).flat()])) {
    if (taken.includes(` ${address}/`)) continue;
    const isV6 = address.includes(':');
    const device = RESOLVERS.includes(address) ? 'up1' : 'lo';
    const length = isV6 ? 128 : 32;
    ip(
      '-n',
      lab.net,
      'addr',
      'add',
      `${address}/${length}`,
      'dev',
      device,
      ...(isV6 ? ['nodad'] : []),
    );
  }
}

function makeCertificates(folder: string): string {
  const names = Object.keys(HOSTS).map((name) => `DNS:${name}`);
  const openssl = (...words: string[]) =>
    execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
  openssl(
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=lab CA'],
  );
  openssl(
    ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=lab'],
  );
  writeFileSync(join(folder, 'san.ext'), `subjectAltName=${names.join(',')}\n`);
  openssl(
    ...[
      'x509',
      '-req',
      '-in',
      'server.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
    ],
    ...['-out', 'server.pem', '-days', '30', '-extfile', 'san.ext'],
  );
  return readFileSync(join(folder, 'ca.pem'), 'utf8');
}

/** Starts the internet of a lab; it ends with the lab. */
export async function startInternet(lab: Lab, folder: string): Promise<Internet> {
  const uploads = join(folder, 'uploads');
  mkdirSync(uploads, { recursive: true });
  addAddresses(lab);
  const ca = makeCertificates(folder);
  writeFileSync(join(folder, 'hosts.json'), JSON.stringify({ hosts: HOSTS, resolvers: RESOLVERS }));
  const words = [
    'netns',
    'exec',
    lab.net,
    process.execPath,
    resolve('test/lab/internet-server.ts'),
  ];
  const server = spawn('ip', [...words, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  lab.adopt(server);
  const heard: string[] = [];
  server.stdout.on('data', (bytes: Buffer) =>
    heard.push(...bytes.toString().split('\n').filter(Boolean)),
  );
  await line(server, 'ready');
  return {
    ca,
    uploads: () =>
      new Map(
        existsSync(uploads)
          ? readdirSync(uploads).map((name) => [name, readFileSync(join(uploads, name))])
          : [],
      ),
    heard: () => heard,
  };
}
