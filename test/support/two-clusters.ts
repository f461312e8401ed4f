// For tests: a kubeconfig whose first, current context leads nowhere, and whose second is the shop.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { createEmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { openApp, type Shop } from './shop.ts';

interface Kubeconfig {
  clusters: { name: string; cluster: object }[];
  users: object[];
  contexts: { name: string; context: object }[];
  'current-context': string;
}

/** An address of this machine on which nothing listens. */
const closedPort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
};

export const openTwoClusters = async (): Promise<Omit<Shop, 'embedded'>> => {
  const embedded = createEmbeddedKubernetes();
  await embedded.listen();
  const config = parse(embedded.kubeconfig('admin')) as Kubeconfig;
  const [context] = config.contexts;
  const dead = { name: 'dead', cluster: { server: `http://127.0.0.1:${await closedPort()}` } };
  const joined = {
    ...config,
    clusters: [dead, ...config.clusters],
    contexts: [
      { name: 'dead', context: { ...context?.context, cluster: 'dead' } },
      { name: 'alive', context: context?.context },
    ],
    'current-context': 'dead',
  };
  const folder = await mkdtemp(join(tmpdir(), 'clusters-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, stringify(joined));
  const opened = await openApp({ 'kubernetes.kubeconfig': kubeconfig, 'kubernetes.retries': 0 });
  return {
    ...opened,
    async close() {
      await opened.close();
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
