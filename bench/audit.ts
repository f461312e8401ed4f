// P12: what the audit log costs: 10,000 calls with it and without it, in turn.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BENCH_PLUGIN, callInBatch, processorTime } from './support/batch.ts';
import { connectMcp } from './support/mcp.ts';
import { startServer } from './support/program.ts';
import type { Measurement, Row } from './support/rows.ts';
import { inTurn, median, timed } from './support/statistics.ts';

const CALLS = 10_000;
const ROUNDS = 20;
const BATCH = CALLS / ROUNDS;
const BAR = 1.1;

/** Slow-down with one storage: wall time and processor time of equal batches. */
const measureStorage = async (scene: Parameters<Measurement['measure']>[0], storage: 'memory' | 'file'): Promise<Row> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-audit-'));
  const on = await startServer(scene.program, {
    env: { ...BENCH_PLUGIN, MCP_AUDIT_STORAGE: storage, MCP_AUDIT_FILE_PATH: join(folder, 'audit.log') },
  });
  const off = await startServer(scene.program, { env: { ...BENCH_PLUGIN, MCP_AUDIT_ENABLED: 'false' } });
  const clients = { on: connectMcp(on.url), off: connectMcp(off.url) };
  try {
    const before = { on: 0, off: 0 };
    const samples = await inTurn(
      { on: () => timed(() => callInBatch(clients.on, BATCH)), off: () => timed(() => callInBatch(clients.off, BATCH)) },
      { rounds: ROUNDS, warmUp: 8 },
    );
    before.on = processorTime(on.pid);
    before.off = processorTime(off.pid);
    for (let round = 0; round < 4; round++) {
      await callInBatch(clients.on, BATCH);
      await callInBatch(clients.off, BATCH);
    }
    const processor = (processorTime(on.pid) - before.on) / (processorTime(off.pid) - before.off);
    const ratio = median(samples.on) / median(samples.off);
    const toPercent = (value: number): string => `${((value - 1) * 100).toFixed(1)} %`;
    return {
      id: 'P12',
      what: `audit on (${storage}), 10,000 calls, against off`,
      ours: `${toPercent(ratio)} slower; processor time ${toPercent(processor)} more`,
      bar: '<= 10 % slower',
      holds: ratio <= BAR,
      figures: { ratio, processor, on: samples.on, off: samples.off },
    };
  } finally {
    await Promise.all([clients.on.close(), clients.off.close()]);
    await Promise.all([on.stop(), off.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
};

export const auditCost: Measurement = {
  id: 'P12',
  measure: async (scene) => [await measureStorage(scene, 'memory'), await measureStorage(scene, 'file')],
};
