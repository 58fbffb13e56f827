// Podman in a lab: no service stands behind it, each command is a process of the job's, and containers are
// its descendants. Cgroups below the guarded one, a mount namespace of its own, all files in one folder.
import type { ChildProcess } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { IMAGE, makeImage } from './docker.ts';
import { type Lab, line, type Result, removeCgroup } from './lab.ts';

/** Stays, so that commands can enter its mount namespace, in which cgroup2 stands where podman looks. */
const PLACE = `
set -e
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
for name in passwd group subuid subgid; do [ ! -e "$1/$name" ] || mount --bind "$1/$name" /etc/$name; done
echo placed
exec sleep 600
`;

/** What a machine may not let root set is left alone: limits above its own, controllers of cgroup2. */
const CONF = `
[containers]
pids_limit = 0
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
[engine]
events_logger = "file"
`;

/** Whose podman it is: root's, or a user's own. */
export type Owner = 'root' | 'user';

const USER = { uid: 1001, name: 'podman' } as const;

/** A podman; `close` before the lab's. */
export class Podman {
  readonly #lab: Lab;
  /** Where all of its files are; not in /tmp, which a lab may have of its own. */
  readonly folder = mkdtempSync('/var/tmp/cargowall-podman-');
  readonly #parent: string;
  readonly #owner: Owner;
  #place: ChildProcess | undefined;

  constructor(lab: Lab, owner: Owner = 'root') {
    this.#lab = lab;
    this.#owner = owner;
    this.#parent = join(lab.cgroup, 'pods');
  }

  /** Makes its place and its image. */
  async open(): Promise<void> {
    const { folder } = this;
    mkdirSync(this.#parent);
    writeFileSync(join(folder, 'containers.conf'), CONF);
    const tar = makeImage(folder);
    if (this.#owner === 'user') this.#makeUser();
    const words = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', PLACE, 'sh', folder];
    this.#place = this.#lab.spawn(words);
    await line(this.#place, 'placed');
    this.must('import', tar, IMAGE);
  }

  /** A user with user ids of its own for containers, and a cgroup it may divide. */
  #makeUser(): void {
    const { uid, name } = USER;
    const owned = [this.folder, this.#parent, join(this.#parent, 'commands')];
    for (const path of owned) mkdirSync(path, { recursive: true });
    const text = (path: string) => readFileSync(path, 'utf8');
    const files = {
      passwd: `${text('/etc/passwd')}${name}:x:${uid}:${uid}::${this.folder}:/bin/sh\n`,
      group: `${text('/etc/group')}${name}:x:${uid}:\n`,
      subuid: `${name}:100000:65536\n`,
      subgid: `${name}:100000:65536\n`,
    };
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(join(this.folder, file), content);
    }
    const procs = owned.slice(1).map((path) => join(path, 'cgroup.procs'));
    for (const path of [...owned, ...procs]) chownSync(path, uid, uid);
  }

  /** Words before a command, by which its owner runs it. */
  #asOwner(): readonly string[] {
    if (this.#owner === 'root') return [];
    const commands = `/sys/fs/cgroup/${basename(this.#lab.cgroup)}/pods/commands/cgroup.procs`;
    return [
      ...['sh', '-c', `cd /; echo 0 > ${commands} && exec "$@"`, 'sh'],
      ...['setpriv', `--reuid=${USER.uid}`, `--regid=${USER.uid}`, '--clear-groups'],
      ...['env', `HOME=${this.folder}`, `XDG_RUNTIME_DIR=${this.folder}`],
    ];
  }

  #command(words: readonly string[]): readonly string[] {
    const at = (name: string) => join(this.folder, name);
    return [
      ...['nsenter', '-t', String(this.#place?.pid), '-m', ...this.#asOwner()],
      ...['env', `CONTAINERS_CONF=${at('containers.conf')}`, 'podman'],
      ...['--root', at('data'), '--runroot', at('run'), '--tmpdir', at('tmp')],
      ...['--network-config-dir', at('networks'), '--cgroup-manager', 'cgroupfs'],
      ...words,
    ];
  }

  /** Runs podman as a command of the job, ten seconds at most. */
  run(...words: string[]): Result {
    const [command = '', ...rest] = words;
    const below = `/${basename(this.#lab.cgroup)}`;
    const parents: Readonly<Record<string, string>> = {
      run: `${below}/pods`,
      // a RUN is in this cgroup itself, where none may be below
      build: `${below}/build`,
    };
    const parent = parents[command];
    const options = parent === undefined ? [] : ['--cgroup-parent', parent];
    return this.#lab.run(...this.#command([command, ...options, ...rest]));
  }

  /** Its output; throws when it fails. */
  must(...words: string[]): string {
    const done = this.run(...words);
    if (done.code !== 0) throw new Error(`podman ${words.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout.trim();
  }

  /** Starts a container that stays: a web server on port 8080 that says its name. */
  serve(name: string, ...options: string[]): void {
    const script = `echo ${name} > /www/index.html; exec httpd -f -p 8080 -h /www`;
    this.must('run', '-d', '--name', name, ...options, IMAGE, '/bin/sh', '-c', script);
  }

  /** Runs a shell script in a container. */
  in(name: string, script: string): Result {
    return this.run('exec', name, '/bin/sh', '-c', script);
  }

  /** Starts a container that stays and does nothing. */
  idle(name: string, ...options: string[]): void {
    this.must('run', '-d', '--name', name, ...options, IMAGE, '/bin/sleep', '600');
  }

  /** The address of a container in its (one) network. */
  addressOf(name: string): string {
    const format =
      '{{.NetworkSettings.IPAddress}}{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return this.must('inspect', '-f', format, name);
  }

  /** The id of a container's cgroup, as records have it. */
  cgroupOf(name: string): string {
    const id = this.must('inspect', '-f', '{{.Id}}', name);
    return String(statSync(join(this.#parent, `libpod-${id}`)).ino);
  }

  /** A folder as the context of a build. */
  context(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(this.folder, 'context-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  }

  /** What a firewall could have changed: the packet filter's rules and the resolvers. */
  state(...names: string[]): Readonly<Record<string, string>> {
    const rules = (tool: string) => this.#lab.run(tool).stdout.replace(/^[#:].*\n/gmu, '');
    const resolvers = names.map((name) => this.in(name, 'cat /etc/resolv.conf').stdout);
    return {
      rules: rules('iptables-save') + rules('ip6tables-save'),
      resolver: this.#lab.run('cat', '/etc/resolv.conf').stdout,
      resolvers: resolvers.join('--\n'),
    };
  }

  /** Ends containers, their monitors and the resolver of networks, which are in the job's cgroup. */
  close(): void {
    removeCgroup(this.#lab.cgroup);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
