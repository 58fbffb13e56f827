import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{loader,bpf,kernel,bypass,containers}/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
