/** Tests against real backends: `npm run backends test` runs them where the backends can be reached. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '../..'),
    include: ['test/backends/**/*.real.test.ts', 'test/contract/**/*.real.test.ts'],
    passWithNoTests: false,
    testTimeout: 90_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
  },
});
