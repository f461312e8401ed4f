// Loaded by the soak into the server (--import, with --expose-gc): on SIGUSR2 collects garbage and writes what is left to BENCH_HEAP_FILE.

import { renameSync, writeFileSync } from 'node:fs';

const file = process.env['BENCH_HEAP_FILE'] ?? '';

process.on('SIGUSR2', () => {
  // Twice: what the first round finalises, the second one frees.
  for (let round = 0; round < 2; round++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  writeFileSync(`${file}.new`, JSON.stringify({ heapUsed, external, rss }));
  renameSync(`${file}.new`, file);
});
