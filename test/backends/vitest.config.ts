/** Tests against real backends: `npm run backends test` runs them where the backends can be reached. */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Backends that were named: then only their own tests run, since the others would fail without a server. */
const only = (process.env['CNMCP_TEST_ONLY'] ?? '').split(',').filter((name) => name !== '');
const names = only.length === 0 ? ['*'] : only.flatMap((name) => [name, `${name}.*`]);

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '../..'),
    include: [
      ...names.flatMap((name) => [`test/backends/**/${name}.real.test.ts`, `test/contract/**/${name}.real.test.ts`]),
      // kubectl and Helm, which come with the cluster, against the embedded one.
      ...(only.length === 0 || only.includes('kubernetes') ? ['src/embedded/kubernetes/*.real.test.ts'] : []),
    ],
    globalSetup: ['test/support/build.ts'],
    passWithNoTests: false,
    testTimeout: 90_000,
    hookTimeout: 180_000,
    // The files share one cluster and one mirror, whose objects each sets for itself.
    fileParallelism: false,
  },
});
