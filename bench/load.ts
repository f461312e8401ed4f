// P8: fifty reads at once while every answer of the backend takes 20 ms, with default settings: nobody queues behind a client-side limit.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { type Program, startHelper, startServer } from './support/program.ts';
import type { Measurement } from './support/rows.ts';
import { median, percentile, timed } from './support/statistics.ts';
import { toMs, toTimes } from './support/words.ts';

const MANY = 40;
const FEW = 10;
const ROUNDS = 11;
/** Enough that both sides run compiled code, as a server in service does. */
const WARM_UP = 24;
/** Before each round, so that each begins with the whole burst that the defaults allow. */
const REST_MS = 2000;
const MOST_MS = 60;
const FAIR = 1.25;

/** What a start sets to measure with defaults: nothing is raised. */
const DEFAULTS = {
  MCP_K8S_QPS: '100',
  MCP_K8S_BURST: '200',
  MCP_RATELIMIT_REQUESTS_PER_SECOND: '50',
  MCP_RATELIMIT_BURST: '100',
  MCP_CONCURRENT_CALLS: '32',
} as const;
const KEYS = { greedy: 'bench-key-of-the-greedy-0123456789', modest: 'bench-key-of-the-modest-0123456789' } as const;

interface Samples {
  readonly many: number[];
  readonly few: number[];
  failed: number;
}

/** Two callers at once, one of them greedy. */
const measureRound = async (greedy: McpClient, modest: McpClient, samples: Samples): Promise<void> => {
  const read = async (client: McpClient, into: number[]): Promise<void> => {
    try {
      into.push(await timed(() => client.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop' })));
    } catch {
      samples.failed += 1;
    }
  };
  await Promise.all([
    ...Array.from({ length: MANY }, () => read(greedy, samples.many)),
    ...Array.from({ length: FEW }, () => read(modest, samples.few)),
  ]);
};

/** A cluster that is slow, and where it is. */
const startSlowCluster = async (program: Program) => {
  const tokenFile = join(program.folder, 'token');
  const slow = await startHelper('slow-cluster.ts', { TOKEN_FILE: tokenFile });
  const token = await readFile(tokenFile, 'utf8');
  return { slow, kubeconfig: await program.writeKubeconfig([{ name: 'slow', server: slow.url, token }]) };
};

/** Concurrent reads over a slow backend. */
export const load: Measurement = {
  id: 'P8',
  async measure(scene) {
    const { slow, kubeconfig } = await startSlowCluster(scene.program);
    const config = join(scene.program.folder, 'two-callers.yaml');
    const apiKeys = Object.entries(KEYS).map(([name, key]) => ({ name, key, scopes: ['read'] }));
    await writeFile(config, stringify({ auth: { enabled: true, apiKeys } }));
    const server = await startServer(scene.program, { args: ['--kubeconfig', kubeconfig, '--config', config], env: DEFAULTS });
    const [greedy, modest] = [
      connectMcp(server.url, '/mcp', { 'x-api-key': KEYS.greedy }),
      connectMcp(server.url, '/mcp', { 'x-api-key': KEYS.modest }),
    ];
    try {
      const samples: Samples = { many: [], few: [], failed: 0 };
      for (let round = 0; round < WARM_UP; round++) await measureRound(greedy, modest, { many: [], few: [], failed: 0 });
      for (let round = 0; round < ROUNDS; round++) {
        await delay(REST_MS);
        await measureRound(greedy, modest, samples);
      }
      const all = [...samples.many, ...samples.few];
      const p50 = median(all);
      const fairness = median(samples.few) / median(samples.many);
      return [
        {
          id: 'P8',
          what: `${MANY + FEW} reads at once by two callers (${MANY} and ${FEW}), backend answers in 20 ms, default settings`,
          ours: `p50 ${toMs(p50)}, p95 ${toMs(percentile(all, 0.95))}, ${samples.failed} failed; the modest caller waits ${toTimes(fairness)} as long as the greedy`,
          bar: `p50 <= ${MOST_MS} ms, none failed, fair (<= ${FAIR}x)`,
          holds: p50 <= MOST_MS && samples.failed === 0 && fairness <= FAIR,
          figures: { p50, p95: percentile(all, 0.95), failed: samples.failed, fairness, many: samples.many, few: samples.few },
        },
      ];
    } finally {
      await Promise.all([greedy.close(), modest.close()]);
      await server.stop();
      await slow.stop();
    }
  },
};
