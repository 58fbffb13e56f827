// A container engine in a lab: containerd and dockerd in the lab's network namespace, with bridges,
// NAT and the embedded resolver as they come. Cgroups below the guarded one, a mount namespace of
// its own, everything else in one folder: what it leaves goes with the lab's namespaces.
import { type ChildProcess, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type Lab, line, type Result, removeCgroup, until } from './lab.ts';

/** The one image there is: busybox, every applet of it. */
export const IMAGE = 'box';

/** Options of `docker run` that put the machine's own tools into a container: curl, Python. */
export const TOOLS = ['-v', '/usr:/usr:ro'] as const;

/**
 * Options of `docker run` that make a container as good as root, its namespaces left alone; not
 * --privileged: that asks for every capability, which the machine may not have itself.
 */
export const ROOT = [
  ...['NET_ADMIN', 'SYS_ADMIN', 'SYS_PTRACE'].flatMap((name) => ['--cap-add', name]),
  ...['seccomp=unconfined', 'apparmor=unconfined'].flatMap((one) => ['--security-opt', one]),
];

/** containerd and dockerd by hand, in a mount namespace with a plain cgroup2 hierarchy. */
const ENGINE = `
set -e
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
containerd --root "$1/containerd" --state "$1/containerd-state" --address "$1/containerd.sock" 2> "$1/containerd.log" &
for _ in $(seq 200); do [ -S "$1/containerd.sock" ] && break; sleep 0.05; done
echo started
exec dockerd --config-file "$1/daemon.json" 2> "$1/dockerd.log"
`;

/** Makes the image's files below a folder: the archive an engine imports. */
export function makeImage(folder: string): string {
  const root = join(folder, 'root');
  for (const name of ['bin', 'etc', 'tmp', 'www']) mkdirSync(join(root, name), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  // for TOOLS: /usr of the machine
  for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  execFileSync('chroot', [root, '/bin/busybox', '--install', '/bin']);
  const tar = join(folder, 'root.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  return tar;
}

/** Where an engine differs from the others. */
export interface EngineWishes {
  /** Its socket, as the lab's machine sees it; in its own folder when absent. */
  readonly socket?: string;
  /** The group that may connect; root's when absent. */
  readonly group?: string;
}

/** A running engine; `close` before the lab's. */
export class Docker {
  readonly #lab: Lab;
  /** Where all of its files are; not in /tmp, which a lab may have of its own. */
  readonly folder = mkdtempSync('/var/tmp/cargowall-docker-');
  readonly #cgroup: string;
  readonly #socket: string;
  readonly #group: string;
  #engine: ChildProcess | undefined;

  constructor(lab: Lab, wishes: EngineWishes = {}) {
    this.#lab = lab;
    this.#cgroup = join(lab.cgroup, 'engine');
    this.#socket = wishes.socket ?? join(this.folder, 'docker.sock');
    this.#group = wishes.group ?? 'root';
  }

  /** Starts the engine and gives it its image. */
  async open(): Promise<void> {
    const folder = this.folder;
    const parent = `/${basename(this.#lab.cgroup)}/containers`;
    const config = {
      'data-root': join(folder, 'data'),
      'exec-root': join(folder, 'exec'),
      pidfile: join(folder, 'dockerd.pid'),
      hosts: [`unix://${this.#socket}`],
      group: this.#group,
      containerd: join(folder, 'containerd.sock'),
      'exec-opts': ['native.cgroupdriver=cgroupfs'],
      'cgroup-parent': parent,
    };
    writeFileSync(join(folder, 'daemon.json'), JSON.stringify(config));
    mkdirSync(this.#cgroup);
    const words = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', ENGINE, 'sh', folder];
    this.#engine = this.#lab.spawn(words, this.#cgroup);
    await line(this.#engine, 'started');
    await until(() => this.run('version').code === 0, 'dockerd', 30_000).catch((cause: unknown) => {
      const log = readFileSync(join(folder, 'dockerd.log'), 'utf8').slice(-2000);
      throw new Error(`dockerd does not answer: ${log}`, { cause });
    });
    this.must('import', makeImage(folder), IMAGE);
  }

  #client(settings: readonly string[] = []): readonly string[] {
    const all = [`DOCKER_CONFIG=${this.folder}`, 'DOCKER_BUILDKIT=0', ...settings];
    // not by PATH: another client there may lack BuildKit
    return ['env', ...all, '/usr/bin/docker', '-H', `unix://${this.#socket}`];
  }

  /** Runs the client as a command of the job, ten seconds at most. */
  run(...words: string[]): Result {
    return this.runWith([], ...words);
  }

  /** As `run`, with settings of the client's environment, `NAME=VALUE`. */
  runWith(settings: readonly string[], ...words: string[]): Result {
    return this.#lab.run(...this.#client(settings), ...words);
  }

  /** Starts the client as a process of the job; it ends with the lab. */
  spawn(...words: string[]): ChildProcess {
    return this.#lab.spawn([...this.#client(), ...words]);
  }

  /** The client's output; throws when it fails. */
  must(...words: string[]): string {
    const done = this.run(...words);
    if (done.code !== 0) throw new Error(`docker ${words.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout.trim();
  }

  /** Starts a container that stays: a web server on port 8080 that says its name. */
  serve(name: string, ...options: string[]): void {
    const script = `echo ${name} > /www/index.html; exec httpd -f -p 8080 -h /www`;
    this.must('run', '-d', '--name', name, ...options, IMAGE, '/bin/sh', '-c', script);
  }

  /** Starts a container that stays and does nothing. */
  idle(name: string, ...options: string[]): void {
    this.must('run', '-d', '--name', name, ...options, IMAGE, '/bin/sleep', '600');
  }

  /** Runs a shell script in a container. */
  in(name: string, script: string): Result {
    return this.run('exec', name, '/bin/sh', '-c', script);
  }

  /** A folder as the context of a build. */
  context(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(this.folder, 'context-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  }

  /** The address of a container in its (one) network. */
  addressOf(name: string): string {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return this.must('inspect', '-f', format, name);
  }

  /** The id of a container's cgroup, as records have it. */
  cgroupOf(name: string): string {
    const id = this.must('inspect', '-f', '{{.Id}}', name);
    return String(statSync(join(this.#lab.cgroup, 'containers', id)).ino);
  }

  /** What a firewall could have changed: the engine's process, its configuration, rules, resolvers. */
  state(): Readonly<Record<string, string>> {
    const read = (name: string) => readFileSync(join(this.folder, name), 'utf8');
    const pid = read('dockerd.pid').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const rules = (tool: string) => this.#lab.run(tool).stdout.replace(/^[#:].*\n/gmu, '');
    const containers = join(this.folder, 'data/containers');
    const resolvers = readdirSync(containers)
      .map((id) => join(containers, id, 'resolv.conf'))
      .filter((path) => existsSync(path)) // a shared network has its owner's
      .map((path) => readFileSync(path, 'utf8'));
    return {
      pid,
      started: stat.slice(stat.lastIndexOf(')')).split(' ')[20] ?? '',
      configuration: read('daemon.json'),
      rules: rules('iptables-save') + rules('ip6tables-save'),
      resolver: this.#lab.run('cat', '/etc/resolv.conf').stdout,
      resolvers: resolvers.join('--\n'),
    };
  }

  /** Ends containers and engine; their cgroups go with the lab's. */
  close(): void {
    removeCgroup(join(this.#lab.cgroup, 'containers'));
    removeCgroup(this.#cgroup);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
