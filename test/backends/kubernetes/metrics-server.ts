/** metrics-server: usage of pods and nodes as an API, for the real node and for kwok's. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../wait.ts';
import { at, type KubernetesApi, listAt } from './api.ts';
import { type Cluster, componentKubeconfig, flags, kubectl, start } from './control-plane.ts';

const API = 'v1beta1.metrics.k8s.io';

/** Starts metrics-server, registers its API, and waits until the API server can reach it. */
export async function startMetricsServer(cluster: Cluster, api: KubernetesApi): Promise<void> {
  const { pki, programs, folder } = cluster;
  const [port = 0] = await freePorts(1);
  const kubeconfig = await componentKubeconfig(cluster, 'metrics-server', '/O=system:masters/CN=metrics-server');
  const started = start(cluster, 'metrics-server', [
    programs.metricsServer,
    ...flags({
      kubeconfig,
      'authentication-kubeconfig': kubeconfig,
      'authorization-kubeconfig': kubeconfig,
      'bind-address': '127.0.0.1',
      'secure-port': String(port),
      'cert-dir': join(folder, 'metrics-server'),
      'kubelet-preferred-address-types': 'InternalIP',
      'kubelet-use-node-status-port': 'true',
      'kubelet-certificate-authority': pki.authority.cert,
      'kubelet-client-certificate': join(pki.folder, 'kubelet-client.crt'),
      'kubelet-client-key': join(pki.folder, 'kubelet-client.key'),
      'metric-resolution': '10s', // The shortest it takes; it must be longer than the timeout.
      'kubelet-request-timeout': '5s',
    }),
  ]);
  await kubectl(cluster, ['apply', '--server-side', '--filename', '-'], registration(port));
  const available = api.watchUntil(`/apis/apiregistration.k8s.io/v1/apiservices?fieldSelector=metadata.name%3D${API}`, (service) =>
    listAt(service, 'status', 'conditions').some(
      (condition) => at(condition, 'type') === 'Available' && at(condition, 'status') === 'True',
    ),
  );
  await Promise.race([available, started.ended]);
}

/** It runs beside the API server and not in a pod, so its Service is a name for this machine. */
function registration(port: number): string {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'metrics-server', namespace: 'kube-system' },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, targetPort: port }] },
  };
  const registered = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: API },
    spec: {
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
      service: { name: 'metrics-server', namespace: 'kube-system', port },
    },
  };
  return [service, registered].map((object) => stringify(object)).join('---\n');
}
