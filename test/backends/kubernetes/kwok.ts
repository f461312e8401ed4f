/** kwok: nodes and pods that only say that they run, any number of them, beside the real node in one cluster. */
import { readFileSync } from 'node:fs';
import { freePorts } from '../wait.ts';
import { at, type KubernetesApi, listAt, textAt } from './api.ts';
import { type Cluster, componentKubeconfig, flags, kubectl, start, untilHealthy } from './control-plane.ts';
import { createCertificate } from './pki.ts';

/** Nodes with this label are kwok's. */
export const KWOK_NODE_LABEL = { type: 'kwok' } as const;

/** Kinds that configure kwok while it runs. */
const KINDS = [
  'Stage',
  'Attach',
  'ClusterAttach',
  'Exec',
  'ClusterExec',
  'PortForward',
  'ClusterPortForward',
  'Logs',
  'ClusterLogs',
  'ResourceUsage',
  'ClusterResourceUsage',
  'Metric',
];

/** Defines kwok's kinds and gives its nodes and pods their life. */
export async function installKwok(cluster: Cluster, api: KubernetesApi): Promise<void> {
  await kubectl(cluster, ['apply', '--server-side', '--filename', '-'], readFileSync(cluster.programs.kwokDefinitions, 'utf8'));
  const waiting = new Set(KINDS);
  await api.watchUntil('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', (definition) => {
    const established = listAt(definition, 'status', 'conditions').some(
      (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
    );
    if (established) waiting.delete(textAt(definition, 'spec', 'names', 'kind'));
    return waiting.size === 0;
  });
  await kubectl(cluster, ['apply', '--server-side', '--filename', '-'], readFileSync(cluster.programs.kwokStages, 'utf8'));
}

/** Starts kwok as the kubelet of all its nodes, at `address`. */
export async function startKwok(cluster: Cluster, address: string): Promise<void> {
  const { pki, programs } = cluster;
  const [port = 0] = await freePorts(1);
  const [serving, kubeconfig] = await Promise.all([
    createCertificate(pki, 'kwok', { subject: '/CN=kwok-kubelet', usage: 'serverAuth', names: [`IP:${address}`] }),
    componentKubeconfig(cluster, 'kwok-client', '/O=system:masters/CN=kwok'),
  ]);
  const selector = Object.entries(KWOK_NODE_LABEL).map(([name, value]) => `${name}=${value}`);
  const started = start(cluster, 'kwok', [
    programs.kwok,
    ...flags({
      kubeconfig,
      'manage-nodes-with-label-selector': selector.join(','),
      cidr: '10.244.0.0/16',
      'node-ip': address,
      'node-name': 'localhost',
      'node-port': String(port),
      'server-address': `${address}:${port}`,
      'tls-cert-file': serving.cert,
      'tls-private-key-file': serving.key,
      'node-lease-duration-seconds': '40',
      'enable-crds': KINDS.join(','),
    }),
  ]);
  await untilHealthy(started, address, port);
}
