// The runner's process tree is agent > listener > worker > step. The first two only start the next.
import { spawn } from 'node:child_process';

const next = process.argv[2] === 'listener' ? ['worker.ts'] : ['agent.ts', 'listener'];
const [file = '', ...words] = next;
const child = spawn(process.execPath, [`${import.meta.dirname}/${file}`, ...words], {
  stdio: 'inherit',
});
child.on('exit', (code) => process.exit(code ?? 1));
