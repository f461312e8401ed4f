// P14: how time and memory grow with the number of pods and of callers.

import { connectMcp, type McpClient } from './support/mcp.ts';
import { memoryOf, startServer } from './support/program.ts';
import type { Measurement, Row } from './support/rows.ts';
import { median, timed } from './support/statistics.ts';
import { toCount, toMib, toMs } from './support/words.ts';

const SIZES = [100, 1000, 10_000] as const;
const CALLERS = [1, 10, 100] as const;
/** Samples per cell: the many callers give many at once. */
const LEAST_CALLS = 20;
/** Ten times the pods may take at most so many times as long: linear, with room for noise. */
const LINEAR = 13;
const MOST_MEMORY = 256 * 2 ** 20;

interface Cell {
  readonly pods: number;
  readonly callers: number;
  readonly p50: number;
  readonly perSecond: number;
  /** At most, while the calls ran. */
  readonly memory: number;
}

const measureCell = async (
  client: McpClient,
  pid: number,
  namespace: string,
  { pods, callers }: Pick<Cell, 'pods' | 'callers'>,
): Promise<Cell> => {
  const list = () => client.call('kubernetes_list_resources', { kind: 'pods', namespace });
  for (let call = 0; call < 3; call++) await list();
  let left = Math.max(LEAST_CALLS, callers * 2);
  const made = left;
  const samples: number[] = [];
  let memory = 0;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      samples.push(await timed(list));
      memory = Math.max(memory, memoryOf(pid));
    }
  };
  const took = await timed(() => Promise.all(Array.from({ length: callers }, caller)));
  return { pods, callers, p50: median(samples), perSecond: (made / took) * 1000, memory };
};

const toRow = (cells: readonly Cell[], pods: number): Row => {
  const own = cells.filter((cell) => cell.pods === pods);
  const before = cells.find((cell) => cell.pods === pods / 10 && cell.callers === 1);
  const [alone] = own;
  const times = before === undefined || alone === undefined ? 0 : alone.p50 / before.p50;
  const memory = Math.max(...own.map((cell) => cell.memory));
  return {
    id: 'P14',
    what: `list of ${toCount(pods)} pods by 1, 10, 100 callers`,
    ours: `p50 ${own.map(({ p50 }) => toMs(p50)).join(', ')}; ${own.map(({ perSecond }) => toCount(perSecond)).join(', ')} a second; ${toMib(memory)}`,
    bar: before === undefined ? 'memory flat (<= 256 MiB)' : `<= ${LINEAR}x the time of a tenth; memory flat (<= 256 MiB)`,
    holds: times <= LINEAR && memory <= MOST_MEMORY,
    figures: {
      p50: own.map((cell) => cell.p50),
      perSecond: own.map((cell) => cell.perSecond),
      memory: own.map((cell) => cell.memory),
      timesOfATenth: times,
    },
  };
};

/** The curve. */
export const growth: Measurement = {
  id: 'P14',
  async measure(scene) {
    const cluster = await scene.cluster();
    for (const pods of SIZES) await cluster.pods(pods);
    const server = await startServer(scene.program, { args: ['--kubeconfig', cluster.kubeconfig] });
    const client = connectMcp(server.url);
    try {
      const cells: Cell[] = [];
      for (const pods of SIZES)
        for (const callers of CALLERS) cells.push(await measureCell(client, server.pid, await cluster.pods(pods), { pods, callers }));
      return SIZES.map((pods) => toRow(cells, pods));
    } finally {
      await client.close();
      await server.stop();
    }
  },
};
