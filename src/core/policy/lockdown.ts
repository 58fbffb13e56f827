// `sudo-allow-commands`: what stays possible under sudo-lockdown. A command that runs any other
// command or writes any file equals root, whatever its name says.
import { Fault } from './problem.ts';

/** Sudo lockdown as inputs and file say it. */
export interface Lockdown {
  readonly enabled: boolean;
  /** Absolute paths. */
  readonly commands: readonly string[];
}

const PATH = /^\/(?:[A-Za-z0-9._+-]+\/)*[A-Za-z0-9._+-]+$/u;
/**
 * Each hands root over by an option: it runs another command, writes any file, or changes who is who
 * (the functions "shell", "command", "file write" and "library load" that GTFOBins lists under sudo).
 */
const EQUAL_ROOT = new Set(
  [
    'sh bash dash zsh ksh fish csh tcsh busybox toybox rbash ash',
    'python pypy perl ruby irb node nodejs deno bun lua luajit php tclsh wish expect pwsh julia R Rscript jjs jrunscript',
    'awk gawk mawk nawk sed ed ex vi vim rvim view rview vimdiff nvim nano pico joe emacs jed less more most man pg',
    'env find xargs parallel time timeout nice ionice nohup setsid stdbuf flock taskset chrt setarch linux watch',
    'script screen tmux run-parts start-stop-daemon unshare nsenter chroot setpriv capsh su sudo pkexec doas runuser',
    'tar zip unzip cpio rsync ar ssh sftp scp sshfs socat nc ncat netcat telnet ftp curl wget aria2c',
    'git svn hg make cmake ninja gdb lldb strace ltrace perf gcc g++ cc c++ clang ld as go cargo rustc java javac dotnet',
    'mvn gradle ant rake ansible ansible-playbook puppet terraform helm gh',
    'docker docker-compose podman nerdctl buildah runc ctr crictl buildctl kubectl kind minikube lxc lxd incus virsh machinectl',
    'systemctl systemd-run systemd-nspawn service loginctl journalctl run0 busctl at batch crontab logrotate',
    'mount umount losetup mknod debugfs mkfs fdisk parted insmod modprobe kexec sysctl dmsetup bpftool tc ip iptables nft',
    'dd cp mv ln tee install chmod chown chgrp setfacl setcap sort shuf split csplit uniq iconv xxd truncate patch openssl',
    'passwd chpasswd useradd usermod adduser groupadd groupmod gpasswd chsh vipw vigr newusers visudo update-alternatives',
    'sqlite mysql psql tcpdump tshark nmap ldconfig 7z 7za ld-linux-x86-64.so ld-linux-aarch64.so',
  ].flatMap((line) => line.split(' ')),
);
/** Install scripts and hooks of a package run as root. */
const RUNS_HOOKS = new Set(
  'apt apt-get aptitude dpkg dnf yum rpm zypper apk pacman snap flatpak brew pip pipx npm npx yarn pnpm gem bundle composer'.split(
    ' ',
  ),
);

/** `python3.11` is python. */
function plainName(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return base.replace(/[\d.]+$/u, '');
}

/** Why a command equals root, by its name; undefined when it is none of those. */
export function equalsRoot(path: string): string | undefined {
  const name = plainName(path);
  return EQUAL_ROOT.has(name) ? `${name} runs any command or writes any file` : undefined;
}

/** Reads one command; throws Fault. */
export function parseLockdownCommand(text: string): {
  readonly path: string;
  readonly notes: readonly {
    readonly at: number;
    readonly found: string;
    readonly message: string;
  }[];
} {
  if (!text.startsWith('/')) throw new Fault(0, text, 'an absolute path');
  const blank = text.search(/\s/u);
  if (blank >= 0) {
    throw new Fault(
      blank,
      text.slice(blank),
      'a path alone: arguments can not be told apart by sudo',
    );
  }
  if (!PATH.test(text) || /\/\.{1,2}(?:\/|$)/u.test(text)) {
    throw new Fault(0, text, 'a plain path of letters, digits and . _ + - without "." or ".."');
  }
  const name = plainName(text);
  const reason = equalsRoot(text);
  if (reason !== undefined) {
    throw new Fault(0, text, `a command that does not equal root: ${reason}`);
  }
  const hooks = `${name} runs scripts of what it installs as root: whoever chooses its arguments is root`;
  const notes = RUNS_HOOKS.has(name) ? [{ at: 0, found: text, message: hooks }] : [];
  return { path: text, notes };
}
