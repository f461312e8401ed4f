// P12: what the audit log costs: 10,000 calls with it and without it, in turn.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BENCH_PLUGIN, callInBatch, processorTime } from './support/batch.ts';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { type Running, startServer } from './support/program.ts';
import type { Measurement, Row, Scene } from './support/rows.ts';
import { inTurn, median, timed } from './support/statistics.ts';

const CALLS = 10_000;
/** Short turns, so that what else the machine does meets both sides alike. */
const ROUNDS = 20;
/** Until both sides run compiled code. */
const WARM_UP = 40;
const BATCH = CALLS / ROUNDS;
const BAR = 1.1;

/** How often both servers are started anew: what the compiler makes of one start is luck. */
const STARTS = 3;

interface Cost {
  readonly wall: number;
  readonly processor: number;
}

/** On against off in one pair of servers: wall time and processor time of equal batches in turn. */
const comparePair = async (scene: Scene, storage: string, path: string): Promise<Cost> => {
  const on = await startServer(scene.program, { env: { ...BENCH_PLUGIN, MCP_AUDIT_STORAGE: storage, MCP_AUDIT_FILE_PATH: path } });
  const off = await startServer(scene.program, { env: { ...BENCH_PLUGIN, MCP_AUDIT_ENABLED: 'false' } });
  const clients = { on: connectMcp(on.url), off: connectMcp(off.url) };
  const measureOne = async ({ pid }: Running, client: McpClient): Promise<Cost> => {
    const before = processorTime(pid);
    const wall = await timed(() => callInBatch(client, BATCH));
    return { wall, processor: processorTime(pid) - before };
  };
  try {
    const samples = await inTurn(
      { on: () => measureOne(on, clients.on), off: () => measureOne(off, clients.off) },
      { rounds: ROUNDS, warmUp: WARM_UP },
    );
    const toRatio = (key: keyof Cost): number =>
      median(samples.on.map((sample) => sample[key])) / median(samples.off.map((sample) => sample[key]));
    return { wall: toRatio('wall'), processor: toRatio('processor') };
  } finally {
    await Promise.all([clients.on.close(), clients.off.close()]);
    await Promise.all([on.stop(), off.stop()]);
  }
};

/** Slow-down with one storage. */
const measureStorage = async (scene: Scene, storage: 'memory' | 'file'): Promise<Row> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-audit-'));
  try {
    const costs: Cost[] = [];
    for (let start = 0; start < STARTS; start++) costs.push(await comparePair(scene, storage, join(folder, `audit-${start}.log`)));
    const toPercent = (value: number): string => `${((value - 1) * 100).toFixed(1)} %`;
    const ratio = median(costs.map(({ wall }) => wall));
    const each = costs.map(({ wall }) => toPercent(wall)).join(', ');
    return {
      id: 'P12',
      what: `audit on (${storage}), 10,000 calls, against off, median of ${STARTS} starts`,
      ours: `${toPercent(ratio)} slower (${each}); processor time ${toPercent(median(costs.map(({ processor }) => processor)))} more`,
      bar: '<= 10 % slower',
      holds: ratio <= BAR,
      figures: { ratio, wall: costs.map(({ wall }) => wall), processor: costs.map(({ processor }) => processor) },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

export const auditCost: Measurement = {
  id: 'P12',
  measure: async (scene) => [await measureStorage(scene, 'memory'), await measureStorage(scene, 'file')],
};
