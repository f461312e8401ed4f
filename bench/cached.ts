// P10: a read that is answered from the cache, against the same read that is not.

import { connectMcp } from './support/mcp.ts';
import { startServer } from './support/program.ts';
import type { Measurement } from './support/rows.ts';
import { inTurn, median, timed } from './support/statistics.ts';
import { toMs, toTimes } from './support/words.ts';

const ROUNDS = 31;
const BAR = 10;

export const cachedRead: Measurement = {
  id: 'P10',
  async measure(scene) {
    const cluster = await scene.cluster();
    const namespace = await cluster.pods(5000);
    const args = { kind: 'pods', namespace };
    const start = (ttl: string) =>
      startServer(scene.program, { args: ['--kubeconfig', cluster.kubeconfig], env: { MCP_K8S_CACHE_TTL: ttl } });
    const [keeping, asking] = [await start('3600'), await start('0')];
    const clients = { cached: connectMcp(keeping.url), uncached: connectMcp(asking.url) };
    try {
      const list = (client: typeof clients.cached) => timed(() => client.call('kubernetes_list_resources', args));
      const samples = await inTurn(
        {
          // The tool keeps its answers for two seconds: one call fetches, the next is measured.
          cached: async () => {
            await list(clients.cached);
            return list(clients.cached);
          },
          uncached: () => list(clients.uncached),
        },
        { rounds: ROUNDS, warmUp: 5 },
      );
      const { structured } = await clients.cached.call('kubernetes_list_resources', args);
      const [cached, uncached] = [median(samples.cached), median(samples.uncached)];
      return [
        {
          id: 'P10',
          what: 'list of 5,000 pods from the cache, against asking the API server',
          ours: `${toTimes(uncached / cached)} faster (${toMs(cached)} against ${toMs(uncached)}); says "${String(structured['cached'])}"`,
          bar: `>= ${BAR}x faster`,
          holds: uncached / cached >= BAR && typeof structured['cached'] === 'string',
          figures: { ratio: uncached / cached, cached: samples.cached, uncached: samples.uncached },
        },
      ];
    } finally {
      await Promise.all([clients.cached.close(), clients.uncached.close()]);
      await Promise.all([keeping.stop(), asking.stop()]);
    }
  },
};
