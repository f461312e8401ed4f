// Loaded by the soak into the server (--import, with --expose-gc): on SIGUSR2 collects garbage and writes what is left to BENCH_HEAP_FILE.
// With BENCH_HEAP_SNAPSHOTS, a folder, every tenth time leaves a heap snapshot there.

import { renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';

const file = process.env['BENCH_HEAP_FILE'] ?? '';
const snapshots = process.env['BENCH_HEAP_SNAPSHOTS'];
let asked = 0;

process.on('SIGUSR2', () => {
  // Twice: what the first round finalises, the second one frees.
  for (let round = 0; round < 2; round++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  asked += 1;
  if (snapshots !== undefined && asked % 10 === 0) writeHeapSnapshot(join(snapshots, `${basename(file, '.json')}-${asked}.heapsnapshot`));
  writeFileSync(`${file}.new`, JSON.stringify({ heapUsed, external, rss }));
  renameSync(`${file}.new`, file);
});
