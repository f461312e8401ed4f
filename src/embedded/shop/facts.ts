// What the story is: times, places, names and figures.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** What happened, as milliseconds before T0, the moment the platform starts. */
export const STORY = {
  recommendationRollout: 5 * DAY,
  diskPressureStart: 26 * HOUR,
  diskPressureEnd: 26 * HOUR - 9 * MINUTE,
  silenceCreated: 22 * HOUR,
  webScaled: 3 * HOUR + 10 * MINUTE,
  paymentUpgrade: 42 * MINUTE,
  latencyRise: 40 * MINUTE,
  firstOutOfMemory: 36 * MINUTE,
  consumerLag: 33 * MINUTE,
  checkoutAlert: 31 * MINUTE,
  crashLoopAlert: 28 * MINUTE,
  lagAlert: 25 * MINUTE,
  collectorRefusal: 20 * MINUTE,
} as const;

/** The silence of alice ends this long after T0. */
export const SILENCE_ENDS_AFTER = 2 * HOUR;
/** The certificate of the ingress ends this long after T0. */
export const CERTIFICATE_ENDS_AFTER = 6 * DAY;
/** How far back series, logs and traces go. */
export const HISTORY = 6 * HOUR;

export const CLUSTER_NAME = 'demo';
export const USERS = { deployer: 'deploy-bot', people: ['alice', 'bob'] } as const;

export interface ShopNode {
  readonly name: string;
  readonly zone: string;
  readonly address: string;
  /** First three octets of its pod addresses. */
  readonly podNetwork: string;
}

export const NODES: readonly ShopNode[] = [
  { name: 'node-1', zone: 'zone-a', address: '10.0.0.11', podNetwork: '10.244.1' },
  { name: 'node-2', zone: 'zone-a', address: '10.0.0.12', podNetwork: '10.244.2' },
  { name: 'node-3', zone: 'zone-b', address: '10.0.0.13', podNetwork: '10.244.3' },
  { name: 'node-4', zone: 'zone-b', address: '10.0.0.14', podNetwork: '10.244.4' },
];

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'CronJob';

export interface ShopWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly replicas: number;
  /** Containers of its pods; the first is the workload's own. */
  readonly containers: readonly string[];
  /** Port of its Service, 0 when it has none. */
  readonly port: number;
  /** Version of the program, as in the image tag. */
  readonly version: string;
}

const workload = (
  namespace: string,
  name: string,
  kind: WorkloadKind,
  replicas: number,
  containers: readonly string[],
  port: number,
  version: string,
): ShopWorkload => ({ namespace, name, kind, replicas, containers, port, version });

export const WORKLOADS: readonly ShopWorkload[] = [
  workload('shop', 'web', 'Deployment', 5, ['web', 'nginx-exporter'], 8080, '3.2.0'),
  workload('shop', 'cart', 'Deployment', 2, ['cart'], 8080, '1.8.3'),
  workload('shop', 'checkout', 'Deployment', 3, ['checkout'], 8080, '4.0.1'),
  workload('shop', 'payment', 'Deployment', 3, ['payment', 'envoy'], 8080, '2.5.0'),
  workload('shop', 'catalog', 'Deployment', 2, ['catalog', 'cache-sync'], 8080, '2.1.0'),
  workload('shop', 'recommendation', 'Deployment', 2, ['recommendation'], 8080, '0.9.0'),
  workload('shop', 'email', 'Deployment', 1, ['email'], 8080, '1.1.0'),
  workload('shop', 'nightly-report', 'CronJob', 0, ['report'], 0, '1.4.2'),
  workload('data', 'postgres', 'StatefulSet', 1, ['postgres', 'postgres-exporter'], 5432, '16.4'),
  workload('data', 'redis', 'StatefulSet', 1, ['redis', 'redis-exporter'], 6379, '7.2.5'),
  workload('data', 'kafka', 'StatefulSet', 3, ['kafka', 'jmx-exporter'], 9092, '3.7.0'),
  workload('observability', 'prometheus', 'Deployment', 1, ['prometheus', 'config-reloader'], 9090, 'v3.14.0'),
  workload('observability', 'kube-state-metrics', 'Deployment', 1, ['kube-state-metrics'], 8080, 'v2.15.0'),
  workload('observability', 'node-exporter', 'DaemonSet', 4, ['node-exporter'], 9100, 'v1.9.1'),
  workload('observability', 'alertmanager', 'Deployment', 1, ['alertmanager', 'config-reloader'], 9093, 'v0.34.2'),
  workload('observability', 'grafana', 'Deployment', 1, ['grafana', 'dashboard-sync'], 3000, '12.1.0'),
  workload('observability', 'jaeger', 'Deployment', 1, ['jaeger'], 16686, '2.20.0'),
  workload('observability', 'otel-collector', 'Deployment', 2, ['otel-collector'], 4317, '0.159.0'),
  workload('observability', 'elasticsearch', 'StatefulSet', 3, ['elasticsearch'], 9200, '8.19.21'),
  workload('observability', 'kibana', 'Deployment', 1, ['kibana'], 5601, '8.19.21'),
  workload('ingress', 'gateway', 'Deployment', 2, ['controller'], 443, '1.11.0'),
  workload('kube-system', 'coredns', 'Deployment', 2, ['coredns'], 53, 'v1.12.1'),
  workload('kube-system', 'kube-proxy', 'DaemonSet', 4, ['kube-proxy'], 0, 'v1.36.1'),
  workload('kube-system', 'metrics-server', 'Deployment', 1, ['metrics-server'], 443, 'v0.9.0'),
  workload('kube-system', 'csi-hostpath', 'DaemonSet', 4, ['hostpath', 'node-driver-registrar'], 0, 'v1.16.1'),
];

export interface ShopRelease {
  readonly namespace: string;
  readonly name: string;
  readonly chartVersion: string;
  readonly appVersion: string;
  readonly revision: number;
}

const release = (namespace: string, name: string, chartVersion: string, revision: number, appVersion = chartVersion): ShopRelease => ({
  namespace,
  name,
  chartVersion,
  appVersion,
  revision,
});

export const RELEASES: readonly ShopRelease[] = [
  release('shop', 'web', '3.2.0', 12),
  release('shop', 'cart', '1.8.3', 5),
  release('shop', 'checkout', '4.0.1', 9),
  release('shop', 'payment', '2.5.0', 8),
  release('shop', 'catalog', '2.1.0', 4),
  release('shop', 'recommendation', '0.9.0', 3),
  release('shop', 'email', '1.1.0', 2),
  release('data', 'postgres', '15.4.0', 3, '16.4'),
  release('data', 'redis', '19.1.0', 2, '7.2.5'),
  release('data', 'kafka', '28.0.0', 2, '3.7.0'),
  release('observability', 'prometheus', '28.3.0', 4, 'v3.14.0'),
  release('observability', 'alertmanager', '1.31.0', 2, 'v0.34.2'),
  release('observability', 'grafana', '10.1.0', 3, '12.1.0'),
  release('observability', 'jaeger', '4.2.0', 2, '2.20.0'),
  release('observability', 'otel-collector', '0.140.0', 5, '0.159.0'),
  release('observability', 'elasticsearch', '22.1.0', 2, '8.19.21'),
  release('observability', 'kibana', '12.1.0', 2, '8.19.21'),
  release('ingress', 'gateway', '4.11.0', 6, '1.11.0'),
];

/** The two states of payment that the story turns on. */
export const PAYMENT = {
  good: { version: '2.4.1', revision: 7, poolSize: 20, memoryLimit: '512Mi' },
  bad: { version: '2.5.0', revision: 8, poolSize: 2, memoryLimit: '256Mi' },
  /** How long a request waits for a connection of the small pool before it fails. */
  poolWait: 4500,
} as const;

/** Which of the two collectors refuses spans: the second, the one without a memory limiter. */
export const REFUSING_COLLECTOR = 1;
