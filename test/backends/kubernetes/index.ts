/** The backend `kubernetes`: a whole cluster with one real node, and kwok for any number of simulated ones. */
import { join } from 'node:path';
import type { Backend, Json } from '../backend.ts';
import type { Run } from '../run.ts';
import { KubernetesApi } from './api.ts';
import {
  auditLog,
  type Cluster,
  kubectl,
  prepareCluster,
  startApiServer,
  startControllerManager,
  startEtcd,
  startScheduler,
} from './control-plane.ts';
import { installKwok, startKwok } from './kwok.ts';
import { startMetricsServer } from './metrics-server.ts';
import { BUSYBOX, KWOK_ADDRESS, NODE, prepareNetwork, removeNode, runtimeSocket, startNode, startRuntime } from './node.ts';
import { VIEWERS, writeKubeconfig } from './pki.ts';
import { buildPrograms, programsOf } from './programs.ts';

export const kubernetes: Backend = {
  name: 'kubernetes',
  about: 'etcd, API server, controllers, scheduler, kwok, one real node with containers (root)',
  needsRoom: true,
  async build({ version }) {
    await buildPrograms(version);
  },
  async up(run, { version, metrics = false }) {
    await prepareNetwork();
    const programs = programsOf(version);
    const [cluster] = await Promise.all([startCluster(run, programs.version), startRuntime(run)]);
    const api = new KubernetesApi(join(cluster.folder, 'admin.kubeconfig'));
    try {
      const simulated = async () => {
        await installKwok(cluster, api);
        await startKwok(cluster, KWOK_ADDRESS);
      };
      const usage = metrics ? [startMetricsServer(cluster, api)] : [];
      await Promise.all([simulated(), startNode(cluster, api), grantViewers(cluster), ...usage]);
    } finally {
      await api.close();
    }
    return facts(cluster, metrics);
  },
  async down(run) {
    await removeNode(run);
  },
  async status(run) {
    const dead = run.deadProcesses('kubernetes');
    return { running: dead.length === 0, dead };
  },
};

async function startCluster(run: Run, version: string): Promise<Cluster> {
  const cluster = await prepareCluster(run, 'kubernetes', programsOf(version));
  await startEtcd(cluster);
  await startApiServer(cluster, NODE.address);
  await Promise.all([startControllerManager(cluster), startScheduler(cluster)]);
  return cluster;
}

/** Members of the viewers' group may see what the built-in role `view` shows: no secrets. */
async function grantViewers(cluster: Cluster): Promise<void> {
  await kubectl(cluster, ['create', 'clusterrolebinding', 'testbed-viewers', '--clusterrole=view', `--group=${VIEWERS}`]);
}

function facts({ run, pki, server, folder, programs, ...rest }: Cluster, metrics: boolean): { [key: string]: Json } {
  const byToken = (user: 'admin' | 'viewer' | 'nobody', name: string) =>
    writeKubeconfig(join(folder, `${name}.kubeconfig`), { server, pki, user: name, credential: pki.tokens[user] });
  return {
    version: programs.version,
    server,
    kubeconfigs: {
      admin: join(folder, 'admin.kubeconfig'),
      adminToken: byToken('admin', 'admin-token'),
      viewer: byToken('viewer', 'viewer'),
      nobody: byToken('nobody', 'nobody'),
    },
    node: { name: NODE.name, address: NODE.address },
    image: BUSYBOX,
    containerd: runtimeSocket(run),
    auditLog: auditLog({ run, pki, server, folder, programs, ...rest }),
    logs: run.logs,
    metrics,
    bin: { kubectl: programs.kubectl, helm3: programs.helm3, helm4: programs.helm4 },
  };
}
