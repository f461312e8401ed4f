// P9: the processor time of a call on a tool that does nothing, against the least that a JSON server can do; and which layer takes what.

import { join } from 'node:path';
import { HEAP_OPTIONS } from '../src/commands/heap.ts';
import { BENCH_PLUGIN, callInBatch, processorTime } from './support/batch.ts';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { ownTimes } from './support/profile.ts';
import { buildProgram, type Running, startHelper, startServer } from './support/program.ts';
import type { Measurement } from './support/rows.ts';
import { inTurn, median, sum } from './support/statistics.ts';
import { toTimes } from './support/words.ts';

const BATCH = 1000;
const ROUNDS = 11;
const WARM_UP = 4;
const PROFILED_BATCHES = 10;
const BAR = 8;

/** Processor time per call of one batch, microseconds. */
const spend = async ({ pid }: Running, client: McpClient): Promise<number> => {
  const before = processorTime(pid);
  await callInBatch(client, BATCH);
  return ((processorTime(pid) - before) / BATCH) * 1000;
};

/** The layers, by the folder that their source files stand in; the first that matches. */
const LAYERS: readonly (readonly [string, RegExp])[] = [
  ['protocol library', /@modelcontextprotocol/],
  ['HTTP adapter', /@hono|node_modules\/hono/],
  ['schemas', /node_modules\/zod/],
  ['doors', /src\/server\//],
  ['middleware', /src\/middleware\//],
  ['mcp', /src\/mcp\//],
  ['call steps', /src\/manager\//],
  ['kit', /src\/kit\//],
  ['audit', /src\/audit\//],
  ['metrics, traces', /src\/observability\/|@opentelemetry/],
  ['redaction, log', /src\/(secrets|logging)\/|node_modules\/pino|sonic-boom/],
  ['cache, limits, policy', /src\/(cache|store|policy)\//],
  ['app', /src\//],
  ['garbage collection', /garbage collector/],
  ['Node', /^node:|\(native\)|\(program\)/],
];

/** Each layer's share of the processor time, in percent, largest first. */
const toShares = (times: ReadonlyMap<string, number>): (readonly [string, number])[] => {
  const busy = [...times].filter(([place]) => place !== '(idle)' && place !== '(root)');
  const total = sum(busy.map(([, time]) => time));
  const shares = new Map<string, number>();
  for (const [place, time] of busy) {
    const layer = LAYERS.find(([, pattern]) => pattern.test(place))?.[0] ?? 'other';
    shares.set(layer, (shares.get(layer) ?? 0) + (time / total) * 100);
  }
  return [...shares].sort((a, b) => b[1] - a[1]);
};

const KEY = 'bench-key-of-the-layers-0123456789';
const WITH_KEY = { 'x-api-key': KEY };

/** Authentication, audit, metrics, limits, cache and traces: everything is on. */
const toEverything = (collector: Running): Record<string, string> => ({
  ...BENCH_PLUGIN,
  MCP_AUTH_ENABLED: 'true',
  MCP_AUTH_API_KEY: KEY,
  MCP_OTEL_ENABLED: 'true',
  MCP_OTEL_ENDPOINT: collector.url,
});

/** A second server is profiled, so that profiling does not touch the measured one. */
const measureShares = async (env: Record<string, string>): Promise<(readonly [string, number])[]> => {
  const program = await buildProgram({ sourcemap: true });
  try {
    const folder = join(program.folder, 'profile');
    const server = await startServer(program, {
      env,
      // Given here, so that the process does not begin once more and leave a profile of its first moments.
      node: [...HEAP_OPTIONS, '--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-interval', '500'],
    });
    const client = connectMcp(server.url, '/mcp', WITH_KEY);
    for (let batch = 0; batch < PROFILED_BATCHES; batch++) await callInBatch(client, BATCH);
    await client.close();
    await server.stop();
    return toShares(ownTimes(folder));
  } finally {
    await program.remove();
  }
};

/** The price of a call before its tool does anything. */
export const layers: Measurement = {
  id: 'P9',
  async measure({ program }) {
    const collector = await startHelper('sink.ts');
    const env = toEverything(collector);
    const [server, library, echo] = [await startServer(program, { env }), await startHelper('library.ts'), await startHelper('echo.ts')];
    const [ours, bare, floor] = [connectMcp(server.url, '/mcp', WITH_KEY), connectMcp(library.url), connectMcp(echo.url)];
    try {
      const samples = await inTurn(
        { ours: () => spend(server, ours), library: () => spend(library, bare), echo: () => spend(echo, floor) },
        { rounds: ROUNDS, warmUp: WARM_UP },
      );
      const ratio = median(samples.ours) / median(samples.echo);
      const alone = median(samples.library) / median(samples.echo);
      const shares = await measureShares(env);
      const told = shares
        .filter(([, share]) => share >= 1)
        .map(([layer, share]) => `${layer} ${share.toFixed(0)} %`)
        .join(', ');
      return [
        {
          id: 'P9',
          what: 'processor time of a call on a tool that does nothing, with authentication, audit, metrics, limits and traces on, against a JSON echo on Hono',
          ours: `${toTimes(ratio)} (${median(samples.ours).toFixed(0)} against ${median(samples.echo).toFixed(0)} us; the protocol library alone ${toTimes(alone)}): ${told}`,
          bar: `<= ${BAR}x`,
          holds: ratio <= BAR,
          figures: {
            ratio,
            libraryAlone: alone,
            ours: samples.ours,
            library: samples.library,
            echo: samples.echo,
            ...Object.fromEntries(shares.map(([layer, share]) => [`share: ${layer}`, share])),
          },
        },
      ];
    } finally {
      await Promise.all([ours.close(), bare.close(), floor.close()]);
      await server.stop();
      await library.stop();
      await echo.stop();
      await collector.stop();
    }
  },
};
