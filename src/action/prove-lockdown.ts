// main's proof of sudo-lockdown, from the job's own context (spec 9): nothing but the allowed commands
// is had by sudo, what gives sudo back does not yet, no other program gives root, and no socket that equals root can be connected to.
import type { LockdownAttempts } from './ports.ts';
import type { Attempt } from './prove.ts';
import { UNLOCK } from './session-files.ts';

/** The same paths as bpf/loader/lockdown.c; a test compares the two. */
export const ROOT_SOCKETS = [
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/podman/podman.sock',
  '/run/buildkit/buildkitd.sock',
  '/run/crio/crio.sock',
  '/run/snapd.socket',
  '/run/snapd-snap.socket',
  '/run/libvirt/libvirt-sock',
  '/run/libvirt/virtqemud-sock',
  '/var/lib/lxd/unix.socket',
  '/var/snap/lxd/common/lxd/unix.socket',
  '/var/lib/incus/unix.socket',
] as const;

/** Programs besides sudo that can be told to give root without a password. */
const OTHER_ROADS = [
  ['/usr/bin/pkexec', '--disable-internal-agent'],
  ['/usr/bin/doas', '-n'],
  ['/usr/local/bin/doas', '-n'],
  ['/usr/bin/run0', '--no-ask-password'],
] as const;

/** What sudo must refuse: the first whose name is not allowed; one file may have several paths. */
const PROBES = ['true', 'id', 'uname', 'whoami'];

/** All attempts against a lockdown. */
export async function tryLockdown(
  commands: readonly string[],
  attempts: LockdownAttempts,
): Promise<readonly Attempt[]> {
  const isAllowed = (name: string) => commands.some((path) => path.endsWith(`/${name}`));
  const probe = `/usr/bin/${PROBES.find((name) => !isAllowed(name)) ?? PROBES[0]}`;
  const tried: Attempt[] = [
    { what: `sudo ${probe}`, outcome: await attempts.sudo(probe), expected: 'refused' },
  ];
  tried.push({
    what: `sudo ${UNLOCK.join(' ')}`,
    outcome: await attempts.sudo(...UNLOCK),
    expected: 'refused',
  });
  for (const path of commands) {
    tried.push({
      what: `sudo may run ${path}`,
      outcome: await attempts.sudoMay(path),
      expected: 'allowed',
    });
  }
  for (const words of OTHER_ROADS) {
    const outcome = await attempts.becomeRoot(words);
    if (outcome !== 'not there') tried.push({ what: words[0], outcome, expected: 'refused' });
  }
  for (const path of ROOT_SOCKETS) {
    const outcome = await attempts.connectSocket(path);
    if (outcome === 'connected')
      tried.push({ what: `connect to ${path}`, outcome, expected: 'EACCES' });
  }
  return tried;
}
