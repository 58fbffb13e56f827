// A loader started in a lab with the stand-in daemon, as main starts it: settings on its stdin,
// status lines on its stdout.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodeEvent, type Event } from './entries.ts';
import { type Lab, line } from './lab.ts';

export const LOADER = resolve('build/bin/loader-linux-x64');

/** The loader as it is on a kernel without TCX: another build, for there is no such switch. */
export function loaderWithoutTcx(): string {
  const loader = resolve('build/bin/loader-no-tcx');
  execFileSync('make', [
    '-s',
    '-C',
    'bpf/loader',
    'OUT=../../build/bin',
    '../../build/bin/loader-no-tcx',
  ]);
  return loader;
}

/** The folder of a daemon bundle that holds the stand-in. */
export function standInFolder(): string {
  const folder = resolve('build/stand-in');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync('test/fakes/stand-in-daemon.mjs', `${folder}/index.js`);
  writeFileSync(`${folder}/package.json`, '{"type":"module"}\n');
  return folder;
}

/** The loader's arguments for a lab. */
export function loaderArguments(
  lab: Lab,
  worker: number,
  changed: Record<string, string> = {},
  program = LOADER,
): string[] {
  const options: Record<string, string> = {
    '--cgroup': lab.cgroup,
    '--uid': '0',
    '--worker': String(worker),
    '--node': resolve('node_modules/node/bin/node'),
    '--daemon': standInFolder(),
    '--object': resolve('build/bpf/egress.bpf.o'),
    ...changed,
  };
  return [program, 'start', ...Object.entries(options).flat()];
}

export interface Session {
  readonly writes: readonly Buffer[];
  readonly mode: number;
  readonly hold?: boolean;
}

export interface Started {
  readonly loader: ChildProcess;
  readonly worker: ChildProcess;
  readonly green: { pid: number; wall: number; pin: number };
}

/** The settings line of a session. */
export function settings(session: Session): string {
  const writes = Buffer.concat([...session.writes]).toString('hex');
  return `${JSON.stringify({ writes, mode: session.mode, hold: session.hold ?? false })}\n`;
}

/** A process that plays the runner's worker: a Python that runs the lines it is sent. */
export async function startWorker(lab: Lab): Promise<ChildProcess> {
  const script = 'import sys\nprint("ready", flush=True)\nfor l in sys.stdin:\n    exec(l)\n';
  const worker = lab.spawn(['/usr/bin/python3', '-u', '-c', script], lab.work);
  await line(worker, 'ready');
  return worker;
}

/** Starts worker and loader and waits for green. */
export async function start(lab: Lab, session: Session, program = LOADER): Promise<Started> {
  const worker = await startWorker(lab);
  const loader = lab.spawn(loaderArguments(lab, worker.pid ?? 0, {}, program));
  loader.stdin?.write(settings(session));
  const green = JSON.parse(await line(loader, '"green"')) as Started['green'];
  return { loader, worker, green };
}

/** Applies map writes to a running session, through the stand-in daemon. */
export function apply(lab: Lab, writes: readonly Buffer[]): void {
  const request = JSON.stringify({ apply: Buffer.concat([...writes]).toString('hex') });
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'${request}\\n'); print(s.recv(65536).decode().strip())
`;
  const done = lab.run('/usr/bin/python3', '-c', script);
  if (!done.stdout.includes('echo')) throw new Error(`not applied: ${done.stdout}${done.stderr}`);
}

/** Has the stand-in daemon hang for good. */
export function hang(lab: Lab): void {
  const script = `
import socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/cargowall/control.sock')
s.sendall(b'{"hang": true}\\n')
`;
  const done = lab.run('/usr/bin/python3', '-c', script);
  if (done.code !== 0) throw new Error(`not asked: ${done.stderr}`);
}

/** Every event the stand-in daemon logged. */
export function events(lab: Lab): Event[] {
  const text = lab.run('cat', '/run/cargowall/records/audit.jsonl').stdout;
  return text
    .split('\n')
    .filter((one) => /^[0-9a-f]{304}$/.test(one))
    .map(decodeEvent);
}

/** What the job gets for a TCP connect: `connected` or the name of Python's exception. */
export function jobConnect(lab: Lab, address: string): string {
  const script = `
import socket
s = socket.socket(); s.settimeout(2)
try: s.connect(('${address}', 443)); print('connected')
except OSError as e: print(type(e).__name__)
`;
  return lab.run('/usr/bin/python3', '-c', script).stdout.trim();
}
