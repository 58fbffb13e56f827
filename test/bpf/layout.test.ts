// The shipped object was built with the structs the TypeScript was generated from.
import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { OFFSET, SIZE } from '../../src/core/flow/layout.gen.ts';

const sizes = new Map<string, number>();
const offsets = new Map<string, Record<string, number>>();

beforeAll(() => {
  execFileSync('make', ['-s', '-C', 'test/bpf', 'OUT=../../build/test-bpf']);
  const text = execFileSync('build/test-bpf/layout_dump', ['build/bpf/egress.bpf.o'], {
    encoding: 'utf8',
  });
  for (const line of text.trim().split('\n')) {
    const [kind, name = '', member = '', value] = line.split(' ');
    if (kind === 'S') sizes.set(name, Number(member));
    if (kind === 'F') offsets.set(name, { ...offsets.get(name), [member]: Number(value) });
  }
});

test.each(Object.entries(SIZE))('struct %s is %i bytes in the object', (name, size) => {
  expect(sizes.get(name)).toBe(size);
});

test.each(Object.entries(OFFSET))('the fields of struct %s are where we write them', (name, of) => {
  expect(offsets.get(name)).toEqual(of);
});
