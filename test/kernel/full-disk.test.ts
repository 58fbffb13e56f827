// On a real file system that is really full.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SCRIPT = `
import { openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { AuditFile } from '${resolve('src/edge/host/audit-file.ts')}';
const log = new AuditFile(openSync('log', 'a'));
const line = 'x'.repeat(99) + '\\n';
log.append(line);
let lost = 0;
for (let i = 0; i < 3; i++) {
  try { log.append(line.repeat(200)); } catch { lost++; }
}
truncateSync('ballast', 0);
log.append(line);
const lines = readFileSync('log', 'utf8').split('\\n');
console.log(JSON.stringify({ lost, last: lines.at(-2)?.length, end: lines.at(-1) }));
`;

test('what a full disk cut short spoils no later line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cargowall-full-'));
  try {
    const script = [
      `mount -t tmpfs -o size=64k full ${folder}`,
      `cd ${folder}`,
      'head -c 40000 /dev/zero > ballast',
      `exec ${process.execPath} --input-type=module -e "$0"`,
    ];
    const words = ['-m', 'sh', '-ec', script.join('\n'), SCRIPT];
    const done = spawnSync('unshare', words, { encoding: 'utf8' });
    expect(done.stderr).toBe('');
    expect(JSON.parse(done.stdout)).toMatchObject({ lost: expect.any(Number), last: 99, end: '' });
    expect(JSON.parse(done.stdout).lost).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
