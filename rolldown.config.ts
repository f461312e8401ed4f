// The published program: ESM with chunks, so that a start loads only what its first answer needs.

import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

const toPath = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  input: { main: 'src/main.ts' },
  platform: 'node',
  resolve: { alias: { '@modelcontextprotocol/server/_shims': toPath('scripts/shims.ts') } },
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    cleanDir: true,
    minify: { compress: true, mangle: false, codegen: false },
  },
  plugins: [
    {
      name: 'one copy of gRPC',
      // The OTLP exporter imports the library in one place and requires it by name in others: in a bundle that would be two, which refuse each other.
      transform: {
        filter: { id: /otlp-grpc-exporter-base.+\.mjs$/ },
        handler: (code) =>
          code.includes('__require("@grpc/grpc-js")')
            ? `import * as grpc from '@grpc/grpc-js';\n${code.replaceAll('__require("@grpc/grpc-js")', 'grpc')}`
            : null,
      },
    },
    {
      name: 'data files',
      // Read relative to their module; in the bundle all modules stand in one folder.
      writeBundle: () =>
        cp(toPath('src/embedded/kubernetes/data'), toPath('dist/data'), { recursive: true, filter: (file) => !/\.(ts|md)$/.test(file) }),
    },
  ],
});
