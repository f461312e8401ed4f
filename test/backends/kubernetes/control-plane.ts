/** etcd, API server, controller manager and scheduler of a cluster of the test bed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { mustRun } from '../command.ts';
import type { Run, StartedProcess } from '../run.ts';
import { freePorts, untilReady } from '../wait.ts';
import { KubernetesApi } from './api.ts';
import { type Certificate, createCertificate, createPki, type Pki, writeKubeconfig } from './pki.ts';
import type { Programs } from './programs.ts';

/** What the parts of one cluster have in common while it is started. */
export interface Cluster {
  readonly run: Run;
  /** Name of the backend; also what its processes' names begin with, except for those of the main cluster. */
  readonly backend: string;
  readonly programs: Programs;
  readonly folder: string;
  readonly pki: Pki;
  readonly server: string;
  readonly etcd: string;
}

const SERVICE_RANGE = '10.96.0.0/12';

/** Every request is recorded when it is answered, so that a test can prove what was asked and that nothing was written. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

/** Chooses addresses and makes keys; nothing is started yet. */
export async function prepareCluster(run: Run, backend: string, programs: Programs): Promise<Cluster> {
  const folder = run.backendFolder(backend);
  const [ports, pki] = await Promise.all([freePorts(2), createPki(folder)]);
  return { run, backend, programs, folder, pki, server: `https://127.0.0.1:${ports[0]}`, etcd: `http://127.0.0.1:${ports[1]}` };
}

/** Starts etcd and waits until it serves. Its data need not survive a crash, so it does not wait for the disk. */
export async function startEtcd(cluster: Cluster): Promise<void> {
  const [peerPort = 0] = await freePorts(1);
  const peer = `http://127.0.0.1:${peerPort}`;
  const started = start(cluster, 'etcd', [
    cluster.programs.etcd,
    ...flags({
      name: 'testbed',
      'data-dir': join(cluster.folder, 'etcd'),
      'listen-client-urls': cluster.etcd,
      'advertise-client-urls': cluster.etcd,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `testbed=${peer}`,
      'unsafe-no-fsync': 'true',
    }),
  ]);
  await untilReady(started, async () => (await fetch(`${cluster.etcd}/health`)).ok);
}

/**
 * Starts the API server and waits until it is ready; gives the kubeconfig of the administrator. `address` is where nodes and pods reach it;
 * loopback if there are none. `extra` flags win.
 */
export async function startApiServer(cluster: Cluster, address: string, extra: Record<string, string> = {}): Promise<string> {
  const { pki, folder, server, programs } = cluster;
  const port = new URL(server).port;
  const names = [
    'IP:127.0.0.1',
    `IP:${address}`,
    'IP:10.96.0.1',
    'DNS:localhost',
    'DNS:kubernetes',
    'DNS:kubernetes.default',
    'DNS:kubernetes.default.svc',
  ];
  const [serving, kubeletClient, proxyClient, admin] = await Promise.all([
    createCertificate(pki, 'apiserver', { subject: '/CN=kube-apiserver', usage: 'serverAuth', names: [...new Set(names)] }),
    createCertificate(pki, 'kubelet-client', { subject: '/O=system:masters/CN=apiserver-kubelet-client', usage: 'clientAuth' }),
    createCertificate(pki, 'proxy-client', { subject: '/CN=front-proxy-client', usage: 'clientAuth' }),
    createCertificate(pki, 'admin', { subject: '/O=system:masters/CN=testbed-admin', usage: 'clientAuth' }),
  ]);
  const policy = join(folder, 'audit-policy.json');
  writeFileSync(policy, JSON.stringify(AUDIT_POLICY));
  const loopback = address === '127.0.0.1';
  const started = start(cluster, 'kube-apiserver', [
    programs.apiServer,
    ...flags({
      'etcd-servers': cluster.etcd,
      // Inside a room everything may listen; without one only loopback may, and then no other address can be advertised.
      'bind-address': loopback ? '127.0.0.1' : '0.0.0.0',
      'secure-port': port,
      'advertise-address': address,
      ...(loopback && { 'endpoint-reconciler-type': 'none' }),
      'tls-cert-file': serving.cert,
      'tls-private-key-file': serving.key,
      'client-ca-file': pki.authority.cert,
      'token-auth-file': pki.tokensFile,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': pki.serviceAccount.publicKey,
      'service-account-signing-key-file': pki.serviceAccount.privateKey,
      'authorization-mode': 'Node,RBAC',
      'service-cluster-ip-range': SERVICE_RANGE,
      'allow-privileged': 'true',
      'event-ttl': '48h',
      profiling: 'false',
      'kubelet-client-certificate': kubeletClient.cert,
      'kubelet-client-key': kubeletClient.key,
      'kubelet-certificate-authority': pki.authority.cert,
      'kubelet-preferred-address-types': 'InternalIP',
      'requestheader-client-ca-file': pki.authority.cert,
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': proxyClient.cert,
      'proxy-client-key-file': proxyClient.key,
      'audit-policy-file': policy,
      'audit-log-path': auditLog(cluster),
      'audit-log-maxsize': '0',
      ...extra,
    }),
  ]);
  const kubeconfig = writeKubeconfig(join(folder, 'admin.kubeconfig'), { server, pki, user: 'admin', credential: admin });
  const api = new KubernetesApi(kubeconfig);
  try {
    await untilReady(started, async () => (await api.request('/readyz')).status === 200, 90);
  } finally {
    await api.close();
  }
  return kubeconfig;
}

/** The file in which the API server writes what it was asked. */
export function auditLog(cluster: Cluster): string {
  return join(cluster.run.logs, `${processName(cluster, 'audit')}.jsonl`);
}

/** Starts the controller manager; ready when its health port answers. */
export async function startControllerManager(cluster: Cluster): Promise<void> {
  const { programs, pki } = cluster;
  const [port = 0] = await freePorts(1);
  const kubeconfig = await componentKubeconfig(cluster, 'controller-manager', '/CN=system:kube-controller-manager');
  const started = start(cluster, 'kube-controller-manager', [
    programs.controllerManager,
    ...flags({
      ...componentFlags(kubeconfig, port),
      'service-account-private-key-file': pki.serviceAccount.privateKey,
      'root-ca-file': pki.authority.cert,
      'cluster-signing-cert-file': pki.authority.cert,
      'cluster-signing-key-file': pki.authority.key,
      'use-service-account-credentials': 'true',
      'allocate-node-cidrs': 'false',
      // Under load the leases of simulated nodes lapse, and thousands of pods would be evicted.
      'node-monitor-grace-period': '300s',
      profiling: 'false',
    }),
  ]);
  await untilHealthy(started, '127.0.0.1', port);
}

/** Starts the scheduler. */
export async function startScheduler(cluster: Cluster): Promise<void> {
  const [port = 0] = await freePorts(1);
  const kubeconfig = await componentKubeconfig(cluster, 'scheduler', '/CN=system:kube-scheduler');
  const started = start(cluster, 'kube-scheduler', [cluster.programs.scheduler, ...flags(componentFlags(kubeconfig, port))]);
  await untilHealthy(started, '127.0.0.1', port);
}

/** A kubeconfig for a part of the cluster, known by a certificate of its own. */
export async function componentKubeconfig(cluster: Cluster, name: string, subject: string): Promise<string> {
  const credential: Certificate = await createCertificate(cluster.pki, name, { subject, usage: 'clientAuth' });
  const { server, pki } = cluster;
  return writeKubeconfig(join(cluster.folder, `${name}.kubeconfig`), { server, pki, user: name, credential });
}

/** Runs kubectl as the administrator. */
export function kubectl(cluster: Cluster, args: readonly string[], input?: string): Promise<string> {
  const kubeconfig = join(cluster.folder, 'admin.kubeconfig');
  return mustRun(cluster.programs.kubectl, ['--kubeconfig', kubeconfig, ...args], input === undefined ? {} : { input });
}

/** Starts a program of the cluster; those of other clusters than the main one carry their backend's name. */
export function start(cluster: Cluster, name: string, command: readonly string[]): StartedProcess {
  return cluster.run.start(cluster.backend, processName(cluster, name), command);
}

/** Waits for a program's own health port. It may have made its certificate itself, so nothing could vouch for it. */
export async function untilHealthy(started: StartedProcess, address: string, port: number): Promise<void> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    await untilReady(started, async () => (await request(`https://${address}:${port}/healthz`, { dispatcher })).statusCode === 200);
  } finally {
    await dispatcher.destroy();
  }
}

/** `{ a: '1' }` as `--a=1`. */
export function flags(values: Record<string, string>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function componentFlags(kubeconfig: string, port: number): Record<string, string> {
  return {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'leader-elect': 'false',
    // With the defaults, 5,000 pods take many minutes.
    'kube-api-qps': '300',
    'kube-api-burst': '600',
  };
}

function processName(cluster: Cluster, name: string): string {
  return cluster.backend === 'kubernetes' ? name : `${cluster.backend}-${name}`;
}
