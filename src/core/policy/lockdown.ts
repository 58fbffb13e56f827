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
/** Shells, interpreters, editors, pagers, containers, copiers: each hands root over by an option. */
const EQUAL_ROOT = new Set(
  (
    'sh bash dash zsh ksh fish busybox env find xargs parallel tar zip cpio rsync ssh scp socat nc ncat netcat ' +
    'python perl ruby node lua php awk gawk mawk sed ed vi vim nvim nano emacs less more man git make gdb strace ' +
    'docker podman nerdctl ctr crictl buildctl kubectl lxc incus virsh machinectl systemctl systemd-run at crontab ' +
    'mount umount nsenter unshare chroot setpriv capsh su sudo pkexec doas runuser setarch timeout nice nohup ' +
    'dd cp mv ln tee install chmod chown chgrp setfacl passwd useradd usermod groupadd visudo ip tc bpftool ' +
    'insmod modprobe kexec tcpdump time watch script expect screen tmux flock stdbuf ionice taskset'
  ).split(' '),
);
/** Install scripts and hooks of a package run as root. */
const RUNS_HOOKS = new Set(
  'apt apt-get aptitude dpkg dnf yum rpm zypper apk pacman snap pip npm gem'.split(' '),
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
