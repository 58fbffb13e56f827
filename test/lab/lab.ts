// A machine of our own: network namespaces for the runner and its internet, a child cgroup, and a
// mount namespace with a private /run. Nothing here touches the machine's own network.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Where cgroup2 is mounted. */
export function cgroupMount(): string {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, path, type] = line.split(' ');
    if (type === 'cgroup2' && path !== undefined) return path;
  }
  throw new Error('no cgroup2 hierarchy is mounted');
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The addresses of the lab's internet; allowed by tests as they need. */
export const SERVER4 = '198.51.100.10';
export const OTHER4 = '198.51.100.20';
export const SERVER6 = '2001:db8:1::10';

/** Set where several runs share a machine: part of every name of this run's labs. */
const RUN = process.env['CARGOWALL_LAB'] ?? '';

/** One lab; `close` removes all of it. */
export class Lab {
  readonly runner: string;
  readonly net: string;
  /** A container-like namespace behind a bridge of the runner's. */
  readonly box: string;
  readonly cgroup: string;
  readonly job: string;
  /** The cgroup of the runner's worker: what is older in it is the runner. */
  readonly work: string;
  readonly #children: ChildProcess[] = [];
  #holder: ChildProcess | undefined;

  constructor(id: string) {
    const name = `cw${RUN}-${id}`;
    this.runner = `${name}-run`;
    this.net = `${name}-net`;
    this.box = `${name}-box`;
    this.cgroup = join(cgroupMount(), name);
    this.job = join(this.cgroup, 'job');
    this.work = join(this.cgroup, 'work');
  }

  /** Builds the namespaces, the cgroup and the mount namespace. */
  async open(): Promise<void> {
    this.close();
    ip('netns', 'add', this.runner);
    ip('netns', 'add', this.net);
    ip(
      'link',
      'add',
      'up0',
      'netns',
      this.runner,
      'type',
      'veth',
      'peer',
      'name',
      'up1',
      'netns',
      this.net,
    );
    for (const name of [this.runner, this.net]) ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', this.runner, 'addr', 'add', '192.0.2.2/24', 'dev', 'up0');
    ip('-n', this.runner, 'addr', 'add', '2001:db8::2/64', 'dev', 'up0', 'nodad');
    ip('-n', this.net, 'addr', 'add', '192.0.2.1/24', 'dev', 'up1');
    ip('-n', this.net, 'addr', 'add', '2001:db8::1/64', 'dev', 'up1', 'nodad');
    for (const address of [`${SERVER4}/32`, `${OTHER4}/32`, '10.1.2.3/32']) {
      ip('-n', this.net, 'addr', 'add', address, 'dev', 'lo');
    }
    ip('-n', this.net, 'addr', 'add', `${SERVER6}/128`, 'dev', 'lo', 'nodad');
    ip('-n', this.runner, 'link', 'set', 'up0', 'up');
    ip('-n', this.net, 'link', 'set', 'up1', 'up');
    ip('-n', this.runner, 'route', 'add', 'default', 'via', '192.0.2.1');
    ip('-n', this.runner, '-6', 'route', 'add', 'default', 'via', '2001:db8::1');
    this.#openBox();
    mkdirSync(this.cgroup);
    mkdirSync(this.job);
    mkdirSync(this.work);
    const script =
      'mount --make-rprivate / && mkdir -p /mnt && mount -t tmpfs keep /mnt && mkdir /mnt/netns && ' +
      'mount --rbind /run/netns /mnt/netns && mount -t tmpfs run /run && mkdir /run/cw-netns && ' +
      'mount --rbind /mnt/netns /run/cw-netns && echo ready && exec sleep 600';
    // not `ip netns exec`: it mounts a /sys of its own, without the cgroups
    const net = `--net=/run/netns/${this.runner}`;
    this.#holder = spawn('nsenter', [net, 'unshare', '-m', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await line(this.#holder, 'ready');
  }

  /** The box reaches the internet through the runner, which forwards without translating. */
  #openBox(): void {
    ip('netns', 'add', this.box);
    ip('-n', this.runner, 'link', 'add', 'br0', 'type', 'bridge');
    ip(
      'link',
      'add',
      'in0',
      'netns',
      this.runner,
      'type',
      'veth',
      'peer',
      'name',
      'in1',
      'netns',
      this.box,
    );
    ip('-n', this.runner, 'link', 'set', 'in0', 'master', 'br0');
    ip('-n', this.runner, 'addr', 'add', '172.30.0.1/24', 'dev', 'br0');
    ip('-n', this.box, 'addr', 'add', '172.30.0.2/24', 'dev', 'in1');
    for (const name of ['br0', 'in0']) ip('-n', this.runner, 'link', 'set', name, 'up');
    for (const name of ['lo', 'in1']) ip('-n', this.box, 'link', 'set', name, 'up');
    ip('-n', this.box, 'route', 'add', 'default', 'via', '172.30.0.1');
    ip('-n', this.net, 'route', 'add', '172.30.0.0/24', 'via', '192.0.2.2');
    const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward';
    execFileSync('ip', ['netns', 'exec', this.runner, 'sh', '-c', forward]);
  }

  /** Runs a command of the job in the box, ten seconds at most. */
  runBoxed(...command: string[]): Result {
    return this.run('nsenter', `--net=/run/cw-netns/${this.box}`, ...command);
  }

  /** The words that run a command on the lab's machine, in the job's cgroup. */
  enter(command: readonly string[], cgroup = this.job): string[] {
    const pid = String(this.#holder?.pid);
    const script = `echo 0 > ${cgroup}/cgroup.procs && exec "$@"`;
    return ['nsenter', '-t', pid, '-m', '-n', 'sh', '-c', script, 'sh', ...command];
  }

  /** Runs a command of the job to its end, ten seconds at most. */
  run(...command: string[]): Result {
    const [file = '', ...words] = this.enter(command);
    const done = spawnSync(file, words, { encoding: 'utf8', timeout: 10_000 });
    return { code: done.status, stdout: done.stdout, stderr: done.stderr };
  }

  /** Starts a process on the lab's machine; it ends with the lab. */
  spawn(command: readonly string[], cgroup = this.job): ChildProcess {
    const [file = '', ...words] = this.enter(command, cgroup);
    const child = spawn(file, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    return child;
  }

  /** A process that ends with the lab. */
  adopt(child: ChildProcess): void {
    this.#children.push(child);
  }

  /** Starts a server in the lab's internet and waits for its first line. */
  async serve(script: string): Promise<ChildProcess> {
    const child = spawn('ip', ['netns', 'exec', this.net, '/usr/bin/python3', '-u', '-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    await line(child, 'ready');
    return child;
  }

  /** Whether a path exists as the lab's machine sees it. */
  exists(path: string): boolean {
    return this.run('test', '-e', path).code === 0;
  }

  /** Ends every process, then removes cgroups and namespaces. */
  close(): void {
    for (const child of [...this.#children, this.#holder]) child?.kill('SIGKILL');
    this.#children.length = 0;
    removeCgroup(this.cgroup);
    for (const name of [this.box, this.runner, this.net]) {
      if (existsSync(`/run/netns/${name}`)) spawnSync('ip', ['netns', 'del', name]);
    }
  }
}

/** Ends what lives in a cgroup and below, and removes it, in a bounded number of tries. */
export function removeCgroup(path: string): void {
  for (let round = 0; round < 200 && existsSync(path); round++) {
    try {
      writeFileSync(join(path, 'cgroup.kill'), '1');
      removeEmpty(path);
    } catch {
      spawnSync('sleep', ['0.02']);
    }
  }
}

function removeEmpty(path: string): void {
  for (const below of readdirSync(path, { withFileTypes: true })) {
    if (below.isDirectory()) removeEmpty(join(path, below.name));
  }
  rmdirSync(path);
}

/** Waits until a process prints a line that contains `text`; returns that line. */
export function line(child: ChildProcess, text: string, limitMs = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const timer = setTimeout(() => reject(new Error(`no "${text}" in: ${seen}`)), limitMs);
    function onData(chunk: Buffer): void {
      seen += chunk.toString();
      const whole = seen.split('\n').slice(0, -1);
      const found = whole.find((one) => one.includes(text));
      if (found === undefined) return;
      clearTimeout(timer);
      child.stdout?.off('data', onData);
      child.off('exit', onExit);
      resolve(found);
    }
    function onExit(code: number | null): void {
      clearTimeout(timer);
      reject(new Error(`ended with ${code} before "${text}": ${seen}`));
    }
    child.stdout?.on('data', onData);
    child.once('exit', onExit);
  });
}

/** Calls back with every whole, non-empty line a process prints from now on, whatever its pieces. */
export function eachLine(child: ChildProcess, onLine: (text: string) => void): void {
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const text of parts) if (text.trim() !== '') onLine(text.trim());
  });
}

/** Waits until `check` holds, polling what the kernel tells nobody about; fails after the limit. */
export async function until(check: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!check()) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
