// What makes the lab's machine a runner: a user with password-less sudo, a resolver configuration,
// a CA, a home. All of it in the lab's own mount namespace; the real /etc is never written.
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

/** The runner's user and home in the lab. */
export const RUNNER = { uid: 1001, name: 'runner', home: '/home/runner' } as const;

const CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

/** The runner user's sudo, by every kind of grant there is at once. */
const GRANTS = `User_Alias CI = ${RUNNER.name}, nobody
CI ALL=(ALL) NOPASSWD: ALL
%${RUNNER.name} ALL=(ALL:ALL) NOPASSWD: ALL
#${RUNNER.uid} ALL=(ALL) NOPASSWD: ALL
Defaults:${RUNNER.name} !authenticate
${RUNNER.name} ALL=(ALL) ALL
ALL ALL=(ALL) NOPASSWD: /usr/bin/true
@includedir /etc/sudoers.d
`;

/** What the machine is made with. */
export interface MachineWishes {
  /** Where files are put together, on the real machine. */
  readonly folder: string;
  readonly ca: string;
  /** The action's dist/. */
  readonly dist: string;
  /** Files of the workspace besides action.yml and dist/: source by path in the workspace. */
  readonly workspace: ReadonlyMap<string, string>;
  readonly sudo: boolean;
}

function etcFiles({ ca, sudo }: MachineWishes): ReadonlyMap<string, string> {
  const { uid, name, home } = RUNNER;
  const text = (path: string) => readFileSync(path, 'utf8');
  return new Map([
    ['/etc/resolv.conf', 'nameserver 192.0.2.53\nnameserver 2001:db8::53\n'],
    ['/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n192.0.2.2 runner-machine\n'],
    ['/etc/passwd', `${text('/etc/passwd')}${name}:x:${uid}:${uid}::${home}:/bin/bash\n`],
    ['/etc/group', `${text('/etc/group')}${name}:x:${uid}:\n`],
    ['/etc/shadow', `${text('/etc/shadow')}${name}:*:20000:0:99999:7:::\n`],
    ['/etc/sudoers', `root ALL=(ALL:ALL) ALL\n${sudo ? GRANTS : ''}`],
    [CA_BUNDLE, ca],
  ]);
}

/** Turns the lab into a runner's machine; throws what the commands said. */
export function makeMachine(lab: Lab, wishes: MachineWishes): void {
  const { folder, dist, workspace } = wishes;
  const home = join(folder, 'home');
  const repository = join(home, 'work');
  mkdirSync(repository, { recursive: true });
  cpSync(dist, join(repository, 'dist'), { recursive: true });
  copyFileSync('action.yml', join(repository, 'action.yml'));
  cpSync('test/lab/later-post', join(repository, 'test/lab/later-post'), { recursive: true });
  for (const [path, source] of workspace) writeFileSync(join(repository, path), source);
  cpSync('test/lab/runner', join(home, 'harness'), { recursive: true });
  mkdirSync(join(home, 'temp'));
  copyFileSync(process.execPath, join(home, 'node'));
  const binds = [...etcFiles(wishes)].map(([path, text], index) => {
    const file = join(folder, `etc-${index}`);
    writeFileSync(file, text, { mode: path === '/etc/sudoers' ? 0o440 : 0o644 });
    return `mount --bind ${file} ${path}`;
  });
  const { uid, home: at } = RUNNER;
  const script = [
    'set -e',
    ...binds,
    'mount -t tmpfs -o mode=755,size=600m home /home',
    `cp -a ${home} ${at}`,
    `chown -R ${uid}:${uid} ${at}`,
    `chmod 750 ${at}`,
    'mount -t tmpfs -o mode=1777 tmp /tmp',
  ];
  const done = lab.run('sh', '-c', script.join('\n'));
  if (done.code !== 0) throw new Error(`the lab's machine: ${done.stdout}${done.stderr}`);
}
