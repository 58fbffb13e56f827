import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findDamage } from '../../../src/edge/kernel/digests.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cargowall-digests-'));
  writeFileSync(join(folder, 'a'), 'whole');
  const digest = createHash('sha256').update('whole').digest('hex');
  writeFileSync(join(folder, 'SHA256SUMS'), `${digest}  ./a\n${digest}  b\nnonsense\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what is as released has no damage', () => {
  expect(findDamage(folder, ['a'])).toEqual([]);
});

test('a changed, a missing and an unlisted file are each named', () => {
  writeFileSync(join(folder, 'a'), 'changed');
  const [changed, missing, unlisted] = findDamage(folder, ['a', 'b', 'c']);
  expect(changed).toMatch(/^a: found [0-9a-f]{64}, expected [0-9a-f]{64}$/);
  expect(missing).toContain('b: found ENOENT');
  expect(unlisted).toBe('c is not in SHA256SUMS');
});

test('without the list nothing is taken for whole', () => {
  rmSync(join(folder, 'SHA256SUMS'));
  expect(findDamage(folder, ['a'])[0]).toContain("SHA256SUMS can't be read");
});
