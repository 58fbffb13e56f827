// node kill-main.ts TEXT COMMAND...: runs a command until its output has TEXT, then kills it with
// SIGKILL; waits until what the start had made is gone. Exit 0: it was killed, and all is undone.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const [text = '', file = '', ...words] = process.argv.slice(2);
const cgroup = process.env['LAB_CGROUP'] ?? '';
const LIMIT_MS = 15_000;

function isUndone(): boolean {
  const hasCgroups = readdirSync(cgroup).some((name) => name.startsWith('cargowall'));
  return !hasCgroups && !existsSync('/run/cargowall');
}

const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'inherit'] });
let seen = '';
let wasKilled = false;
child.stdout.on('data', (bytes: Buffer) => {
  seen += bytes.toString();
  if (wasKilled || !seen.includes(text)) return;
  wasKilled = child.kill('SIGKILL');
});
await new Promise((resolve) => child.on('exit', resolve));
const endMs = Date.now() + LIMIT_MS;
// Nobody tells when mounts and cgroups are gone: the file system is asked.
while (!isUndone() && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 20));
process.stdout.write(`killed ${wasKilled}, undone ${isUndone()}\n`);
process.exitCode = wasKilled && isUndone() ? 0 : 1;
