// Starts the loader as root and speaks with its front process: settings and further lines on its
// stdin, status lines on its stdout. The end of its stdin before green undoes the start.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const SUDO = '/usr/bin/sudo';
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
const MAX_ERROR_TEXT = 2000;

/** What the loader is started with. */
export interface LoaderArguments {
  readonly loader: string;
  readonly object: string;
  readonly daemon: string;
  readonly node: string;
  readonly cgroup: string;
  readonly root: boolean;
  /** Whose control requests are taken besides root's. */
  readonly uid: number;
  /** The runner's worker. */
  readonly worker: number;
  /** GitHub-hosted: nothing is ever detached. */
  readonly keep: boolean;
  /** Sudo lockdown with the commands that stay allowed; undefined: none. */
  readonly lockdown: readonly string[] | undefined;
}

/** A loader that is starting. */
export interface StartingLoader {
  /** Its status lines, until its front process has ended. */
  readonly lines: AsyncIterable<string>;
  write(line: string): void;
  /** Ends its stdin: before green the start is undone. */
  end(): void;
  /** The front's exit code, and what it wrote to stderr (sudo's words). */
  readonly ended: Promise<{ readonly code: number; readonly errorText: string }>;
}

/** Starts the loader; through sudo unless we are root. */
export function startLoader(options: LoaderArguments): StartingLoader {
  const words = [
    options.loader,
    'start',
    ...['--cgroup', options.cgroup],
    ...(options.root ? ['--root'] : []),
    ...['--uid', String(options.uid)],
    ...['--worker', String(options.worker)],
    ...['--node', options.node],
    ...['--daemon', options.daemon],
    ...['--object', options.object],
    ...(options.keep ? ['--keep'] : []),
    ...(options.lockdown === undefined ? [] : ['--lockdown']),
    ...(options.lockdown ?? []).flatMap((path) => ['--allow-command', path]),
  ];
  const isRoot = process.getuid?.() === 0;
  const [file = SUDO, ...rest] = isRoot ? words : [SUDO, '-n', '--', ...words];
  const child = spawn(file, rest, { env: ENVIRONMENT, cwd: '/', stdio: 'pipe' });
  let errorText = '';
  child.stderr.on('data', (bytes: Uint8Array) => {
    errorText = (errorText + new TextDecoder().decode(bytes)).slice(0, MAX_ERROR_TEXT);
  });
  // A front that has ended can't be written to; its exit code says why.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<{ code: number; errorText: string }>((resolve) => {
    child.on('error', (error) => resolve({ code: -1, errorText: error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, errorText: errorText.trim() }));
  });
  return {
    lines: createInterface({ input: child.stdout }),
    write: (line) => child.stdin.write(`${line}\n`),
    end: () => child.stdin.end(),
    ended,
  };
}
