/** Simulated load: nodes of kwok and Deployments whose pods look like those of a real shop, any number of them. */
import type { Json } from '../backend.ts';
import { ApiError, at, type KubernetesApi, textAt } from './api.ts';
import { KWOK_NODE_LABEL } from './kwok.ts';
import { untilNodeReady } from './node.ts';

export interface WorkloadOptions {
  /** The namespace to fill; it is made if absent. */
  readonly namespace: string;
  /** How many pods. */
  readonly count: number;
  /** How many simulated nodes, shared by all workloads; each takes 250 pods. */
  readonly nodes?: number;
  /** Pods per Deployment. */
  readonly replicas?: number;
  /** How long the last pod may take to be ready. */
  readonly seconds?: number;
}

const APPS = [
  'checkout',
  'cart',
  'catalogue',
  'payments',
  'orders',
  'shipping',
  'inventory',
  'pricing',
  'search-api',
  'search-indexer',
  'recommendations',
  'user-profile',
  'auth-gateway',
  'session-store',
  'notification-sender',
  'email-renderer',
  'invoice-worker',
  'fraud-scoring',
  'geo-lookup',
  'image-resizer',
  'feature-flags',
  'audit-writer',
  'report-builder',
  'webhook-relay',
  'edge-router',
] as const;
const TEAMS = ['storefront', 'payments', 'logistics', 'search', 'platform'] as const;

/** Makes `count` running pods of two containers, about 7.9 KB each as JSON, and gives their namespace when all are ready. */
export async function createPods(api: KubernetesApi, options: WorkloadOptions): Promise<string> {
  const { namespace, count, replicas = 20, seconds = 60 + count / 20 } = options;
  const { nodes = Math.max(3, Math.ceil(count / 100)) } = options;
  const names = Array.from({ length: nodes }, (_, index) => `node-${String(index).padStart(3, '0')}`);
  await Promise.all(names.map((name, index) => create(api, '/api/v1/nodes', node(name, index))));
  await create(api, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await Promise.all(names.map((name) => untilNodeReady(api, name)));
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const deployments = Array.from({ length: Math.ceil(count / replicas) }, (_, index) =>
    deployment(namespace, index, Math.min(replicas, count - index * replicas)),
  );
  const waiting = new Set(deployments.map((object) => textAt(object, 'metadata', 'name')));
  await Promise.all(deployments.map((object) => create(api, path, object)));
  await api.watchUntil(
    path,
    (object) => {
      if (at(object, 'status', 'readyReplicas') === at(object, 'spec', 'replicas')) waiting.delete(textAt(object, 'metadata', 'name'));
      return waiting.size === 0;
    },
    seconds,
  );
  return namespace;
}

/** Creates an object; one that is there already is as good. */
async function create(api: KubernetesApi, path: string, object: Json): Promise<void> {
  const { status, text } = await api.request(path, { method: 'POST', body: object });
  if (status >= 400 && status !== 409) throw new ApiError(status, text);
}

function node(name: string, index: number): Json {
  const size = { cpu: '32', memory: '128Gi', pods: '250', 'ephemeral-storage': '200Gi' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { 'metrics.k8s.io/resource-metrics-path': `/metrics/nodes/${name}/metrics/resource` },
      labels: {
        ...KWOK_NODE_LABEL,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'node-role.kubernetes.io/worker': '',
        'node.kubernetes.io/instance-type': 'std-32',
        'topology.kubernetes.io/region': 'r1',
        'topology.kubernetes.io/zone': `r1-${'abc'[index % 3]}`,
      },
    },
    status: { capacity: size, allocatable: size },
  };
}

function deployment(namespace: string, index: number, replicas: number): Json {
  const round = Math.floor(index / APPS.length);
  const app = `${APPS[index % APPS.length]}${round === 0 ? '' : `-${round}`}`;
  const team = TEAMS[index % TEAMS.length] ?? 'platform';
  const version = `v${1 + (index % 4)}.${index % 10}.${(index * 7) % 20}`;
  const labels = {
    app,
    'app.kubernetes.io/name': app,
    'app.kubernetes.io/part-of': 'shop',
    'app.kubernetes.io/version': version,
    team,
    tier: index % 3 === 0 ? 'frontend' : 'backend',
  };
  const annotations = {
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': '9102',
    'kwok.x-k8s.io/usage-cpu': `${20 + index * 3}m`,
    'kwok.x-k8s.io/usage-memory': `${60 + index * 9}Mi`,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace, labels },
    spec: {
      replicas,
      revisionHistoryLimit: 5,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels, annotations },
        spec: {
          nodeSelector: KWOK_NODE_LABEL,
          terminationGracePeriodSeconds: 30,
          containers: [appContainer(app, team, version), proxyContainer(app)],
        },
      },
    },
  };
}

function appContainer(app: string, team: string, version: string): Json {
  const probe = (path: string) => ({ httpGet: { path, port: 'http' }, periodSeconds: 10, timeoutSeconds: 2 });
  return {
    name: 'app',
    image: `registry.example.test/shop/${app}:${version}`,
    imagePullPolicy: 'IfNotPresent',
    ports: [
      { name: 'http', containerPort: 8080 },
      { name: 'metrics', containerPort: 9102 },
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
    env: [
      { name: 'LOG_LEVEL', value: 'info' },
      { name: 'PORT', value: '8080' },
      { name: 'REGION', value: 'r1' },
      { name: 'DB_HOST', value: `${team}-db.data.svc.cluster.local` },
      { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: `${team}-db`, key: 'password', optional: true } } },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ],
    livenessProbe: probe('/livez'),
    readinessProbe: probe('/readyz'),
  };
}

function proxyContainer(app: string): Json {
  return {
    name: 'proxy',
    image: 'registry.example.test/mesh/proxy:v1.31.2',
    args: ['proxy', '--config', '/etc/proxy/config.yaml'],
    ports: [{ name: 'proxy-admin', containerPort: 15000 }],
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
    env: [
      { name: 'PROXY_CONCURRENCY', value: '2' },
      { name: 'PROXY_CLUSTER', value: app },
    ],
  };
}
