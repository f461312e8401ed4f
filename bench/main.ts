// npm run bench [-- P1 P3 ... | soak] [-- --peers]: measures, prints one table, writes results/latest.json.

import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { auditCost } from './audit.ts';
import { cachedRead } from './cached.ts';
import { deadCluster } from './dead-cluster.ts';
import { growth } from './growth.ts';
import { layers } from './layers.ts';
import { firstList, listLatency } from './lists.ts';
import { load } from './load.ts';
import { memory } from './memory.ts';
import { oneAnswer } from './reads.ts';
import { soak } from './soak.ts';
import { coldStart } from './start.ts';
import { type BenchCluster, openCluster } from './support/cluster.ts';
import { installPeers, type Peers } from './support/peers.ts';
import { buildProgram, type Program } from './support/program.ts';
import type { Measurement, Row, Scene } from './support/rows.ts';
import { toTable } from './support/words.ts';
import { allDefinitions, profileDefinitions } from './tokens.ts';

const MEASUREMENTS: readonly Measurement[] = [
  allDefinitions,
  profileDefinitions,
  firstList,
  coldStart,
  memory,
  listLatency,
  load,
  layers,
  cachedRead,
  deadCluster,
  auditCost,
  growth,
  oneAnswer,
];

/** Too long for every run: only by name. */
const BY_NAME: readonly Measurement[] = [soak];

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const choose = (ids: readonly string[]): readonly Measurement[] => {
  const all = [...MEASUREMENTS, ...BY_NAME];
  const unknown = ids.find((id) => !all.some((measurement) => measurement.id === id));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; rows: ${all.map(({ id }) => id).join(', ')}`);
  return ids.length === 0 ? MEASUREMENTS : all.filter(({ id }) => ids.includes(id));
};

/** Everything that must be taken down, newest first. */
class Stage implements Scene {
  readonly program: Program;
  readonly peers: Peers | undefined;
  #cluster: Promise<BenchCluster> | undefined;

  constructor(program: Program, peers: Peers | undefined) {
    this.program = program;
    this.peers = peers;
  }

  cluster(): Promise<BenchCluster> {
    this.#cluster ??= openCluster();
    return this.#cluster;
  }

  async close(): Promise<void> {
    await this.#cluster?.then((cluster) => cluster.close()).catch(() => undefined); // One that did not start has cleaned up itself.
    await this.program.remove();
  }
}

const measureAll = async (chosen: readonly Measurement[], scene: Scene): Promise<Row[]> => {
  const rows: Row[] = [];
  for (const { id, measure } of chosen) {
    say(`measuring ${id}`);
    try {
      rows.push(...(await measure(scene)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      rows.push({ id, what: 'could not be measured', ours: reason, holds: false, figures: { error: reason } });
    }
  }
  return rows;
};

/** Rejects when somebody wants the benchmark to end: what it has started is then taken down. */
const untilSignal = (): Promise<never> =>
  new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(`stopped by ${signal}`)));
  });

const writeResults = async (rows: readonly Row[], isWhole: boolean): Promise<void> => {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const machine = { node: process.version, cpus: availableParallelism(), at: new Date().toISOString() };
  const file = join(folder, isWhole ? 'latest.json' : 'partial.json');
  await writeFile(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
};

/** @returns the exit code: 1 when a bar does not hold */
const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({ options: { peers: { type: 'boolean' } }, allowPositionals: true });
  const chosen = choose(positionals);
  const peers = values.peers === true ? await installPeers() : undefined;
  const stage = new Stage(await buildProgram(), peers);
  try {
    const rows = await Promise.race([measureAll(chosen, stage), untilSignal()]);
    process.stdout.write(`${toTable(rows)}\n`);
    await writeResults(rows, positionals.length === 0);
    return rows.every(({ holds }) => holds !== false) ? 0 : 1;
  } finally {
    await stage.close();
  }
};

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
