import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{core,action,daemon,docs,edge,scripts}/**/*.test.ts'],
    testTimeout: 20_000,
  },
});
