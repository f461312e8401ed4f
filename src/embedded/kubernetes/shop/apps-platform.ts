// The namespaces `data`, `observability`, `ingress` and `kube-system`: what the shop stands on.
import { DAY, WORKLOADS } from '../../shop.ts';
import { type App, type AppContainer, type AppPort, CLUSTER_AGE } from './app.ts';

const versionOf = (name: string): string => WORKLOADS.find((workload) => workload.name === name)?.version ?? '';

const port = (name: string, number: number): AppPort => ({ name, port: number });

const exporter = (name: string, image: string, number: number): AppContainer => ({
  name,
  image,
  ports: [port('metrics', number)],
  requests: { cpu: '20m', memory: '32Mi' },
  limits: { memory: '64Mi' },
});

const reloader = (name: string): AppContainer => ({
  name: 'config-reloader',
  image: 'quay.io/prometheus-operator/prometheus-config-reloader:v0.84.0',
  args: ['--watched-dir=/etc/config', `--reload-url=http://127.0.0.1:${name === 'prometheus' ? 9090 : 9093}/-/reload`],
  requests: { cpu: '10m', memory: '32Mi' },
  limits: { memory: '64Mi' },
  mounts: { config: '/etc/config' },
});

const DATA: readonly App[] = [
  {
    namespace: 'data',
    name: 'postgres',
    kind: 'StatefulSet',
    replicas: 1,
    age: 112 * DAY,
    containers: [
      {
        name: 'postgres',
        image: `docker.io/library/postgres:${versionOf('postgres')}`,
        ports: [port('postgres', 5432)],
        requests: { cpu: '250m', memory: '512Mi' },
        limits: { memory: '1Gi' },
        secretEnv: { POSTGRES_PASSWORD: 'postgres-password' },
        hasTcpProbe: true,
        mounts: { data: '/var/lib/postgresql/data' },
      },
      exporter('postgres-exporter', 'quay.io/prometheuscommunity/postgres-exporter:v0.17.1', 9187),
    ],
    claim: { name: 'data', size: '20Gi', path: '/var/lib/postgresql/data' },
    servicePorts: [port('postgres', 5432)],
    secret: { 'postgres-password': 'canary-postgres-root-a8c2d4', 'replication-password': 'canary-postgres-repl-19ff' },
    minAvailable: 1,
  },
  {
    namespace: 'data',
    name: 'redis',
    kind: 'StatefulSet',
    replicas: 1,
    age: 104 * DAY,
    containers: [
      {
        name: 'redis',
        image: `docker.io/library/redis:${versionOf('redis')}`,
        ports: [port('redis', 6379)],
        requests: { cpu: '100m', memory: '128Mi' },
        limits: { memory: '256Mi' },
        secretEnv: { REDIS_PASSWORD: 'redis-password' },
        hasTcpProbe: true,
        mounts: { data: '/data' },
      },
      exporter('redis-exporter', 'docker.io/oliver006/redis_exporter:v1.74.0', 9121),
    ],
    claim: { name: 'data', size: '2Gi', path: '/data' },
    servicePorts: [port('redis', 6379)],
    secret: { 'redis-password': 'canary-redis-password-91b7' },
  },
  {
    namespace: 'data',
    name: 'kafka',
    kind: 'StatefulSet',
    replicas: 3,
    age: 104 * DAY,
    initContainers: [
      {
        name: 'format-storage',
        image: `docker.io/apache/kafka:${versionOf('kafka')}`,
        command: ['/opt/kafka/bin/kafka-storage.sh', 'format', '--ignore-formatted'],
      },
    ],
    containers: [
      {
        name: 'kafka',
        image: `docker.io/apache/kafka:${versionOf('kafka')}`,
        ports: [port('client', 9092), port('controller', 9093)],
        requests: { cpu: '250m', memory: '768Mi' },
        limits: { memory: '1536Mi' },
        env: { KAFKA_HEAP_OPTS: '-Xmx768m -Xms768m' },
        usesConfig: true,
        hasTcpProbe: true,
        mounts: { data: '/var/lib/kafka/data' },
      },
      exporter('jmx-exporter', 'docker.io/bitnami/jmx-exporter:1.3.0', 5556),
    ],
    claim: { name: 'data', size: '10Gi', path: '/var/lib/kafka/data' },
    servicePorts: [port('client', 9092)],
    config: { KAFKA_NUM_PARTITIONS: '12', KAFKA_DEFAULT_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2' },
    minAvailable: 2,
  },
];

const plain = (
  name: string,
  image: string,
  number: number,
  rest: Partial<App> & { readonly container?: Partial<AppContainer>; readonly sidecars?: readonly AppContainer[] } = {},
): App => {
  const { container = {}, sidecars = [], ...app } = rest;
  const own: AppContainer = {
    name,
    image: `${image}:${versionOf(name)}`,
    ports: [port('http', number)],
    requests: { cpu: '100m', memory: '128Mi' },
    limits: { memory: '512Mi' },
    ...container,
  };
  return {
    namespace: 'observability',
    name,
    kind: 'Deployment',
    replicas: 1,
    age: 98 * DAY,
    containers: [own, ...sidecars],
    servicePorts: [port('http', number)],
    ...app,
  };
};

const OBSERVABILITY: readonly App[] = [
  plain('prometheus', 'quay.io/prometheus/prometheus', 9090, {
    container: {
      probePath: '/-/ready',
      requests: { cpu: '300m', memory: '1Gi' },
      limits: { memory: '2Gi' },
      mounts: { config: '/etc/config', storage: '/prometheus' },
    },
    sidecars: [reloader('prometheus')],
    emptyDirs: ['storage'],
    config: { 'prometheus.yml': 'global:\n  scrape_interval: 15s\nrule_files:\n  - /etc/config/rules.yml\n', 'rules.yml': 'groups: []\n' },
  }),
  plain('kube-state-metrics', 'registry.k8s.io/kube-state-metrics/kube-state-metrics', 8080, {
    release: 'prometheus',
    container: { probePath: '/livez', requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '128Mi' } },
  }),
  plain('node-exporter', 'quay.io/prometheus/node-exporter', 9100, {
    release: 'prometheus',
    kind: 'DaemonSet',
    replicas: 4,
    hostNetwork: true,
    toleratesAll: true,
    hostPaths: { proc: '/proc', sys: '/sys' },
    container: {
      args: ['--path.procfs=/host/proc', '--path.sysfs=/host/sys'],
      requests: { cpu: '20m', memory: '32Mi' },
      limits: { memory: '64Mi' },
      mounts: { proc: '/host/proc', sys: '/host/sys' },
    },
  }),
  plain('alertmanager', 'quay.io/prometheus/alertmanager', 9093, {
    container: {
      probePath: '/-/ready',
      requests: { cpu: '50m', memory: '64Mi' },
      limits: { memory: '128Mi' },
      mounts: { config: '/etc/config' },
    },
    sidecars: [reloader('alertmanager')],
    config: { 'alertmanager.yml': 'route:\n  receiver: default\n' },
    secret: { 'slack-webhook': 'https://hooks.example.com/services/canary-slack-hook-5d7e' },
  }),
  plain('grafana', 'docker.io/grafana/grafana', 3000, {
    container: {
      probePath: '/api/health',
      secretEnv: { GF_SECURITY_ADMIN_PASSWORD: 'admin-password' },
      mounts: { dashboards: '/var/lib/grafana/dashboards' },
    },
    sidecars: [
      {
        name: 'dashboard-sync',
        image: 'quay.io/kiwigrid/k8s-sidecar:1.30.7',
        env: { LABEL: 'grafana_dashboard', FOLDER: '/var/lib/grafana/dashboards' },
        requests: { cpu: '10m', memory: '64Mi' },
        limits: { memory: '128Mi' },
        mounts: { dashboards: '/var/lib/grafana/dashboards' },
      },
    ],
    emptyDirs: ['dashboards'],
    secret: { 'admin-user': 'admin', 'admin-password': 'canary-grafana-admin-2b91' },
  }),
  plain('jaeger', 'docker.io/jaegertracing/jaeger', 16686, {
    container: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' }, ports: [port('http', 16686), port('otlp', 4317)] },
    servicePorts: [port('http', 16686), port('otlp', 4317)],
  }),
  plain('otel-collector', 'docker.io/otel/opentelemetry-collector-contrib', 4317, {
    replicas: 2,
    container: {
      args: ['--config=/etc/config/collector.yaml'],
      ports: [port('otlp', 4317), port('otlp-http', 4318), port('metrics', 8888), port('health', 13133)],
      mounts: { config: '/etc/config' },
    },
    servicePorts: [port('otlp', 4317), port('otlp-http', 4318), port('metrics', 8888)],
    config: { 'collector.yaml': 'receivers:\n  otlp:\n    protocols:\n      grpc: {}\n      http: {}\n' },
    minAvailable: 1,
  }),
  {
    namespace: 'observability',
    name: 'elasticsearch',
    kind: 'StatefulSet',
    replicas: 3,
    age: 98 * DAY,
    initContainers: [{ name: 'sysctl', image: 'docker.io/library/busybox:1.37.0', command: ['sysctl', '-w', 'vm.max_map_count=262144'] }],
    containers: [
      {
        name: 'elasticsearch',
        image: `docker.elastic.co/elasticsearch/elasticsearch:${versionOf('elasticsearch')}`,
        ports: [port('http', 9200), port('transport', 9300)],
        requests: { cpu: '300m', memory: '2Gi' },
        limits: { memory: '2Gi' },
        env: { ES_JAVA_OPTS: '-Xms1g -Xmx1g' },
        secretEnv: { ELASTIC_PASSWORD: 'elastic-password' },
        hasTcpProbe: true,
        mounts: { data: '/usr/share/elasticsearch/data' },
      },
    ],
    claim: { name: 'data', size: '30Gi', path: '/usr/share/elasticsearch/data' },
    servicePorts: [port('http', 9200), port('transport', 9300)],
    secret: { 'elastic-password': 'canary-elastic-user-c0ffee' },
    minAvailable: 2,
  },
  plain('kibana', 'docker.elastic.co/kibana/kibana', 5601, {
    container: {
      requests: { cpu: '100m', memory: '512Mi' },
      limits: { memory: '1Gi' },
      env: { ELASTICSEARCH_HOSTS: 'http://elasticsearch:9200' },
    },
  }),
];

const INGRESS: readonly App[] = [
  {
    namespace: 'ingress',
    name: 'gateway',
    kind: 'Deployment',
    replicas: 2,
    age: 111 * DAY,
    containers: [
      {
        name: 'controller',
        image: 'registry.k8s.io/ingress-nginx/controller:v1.11.0',
        args: ['/nginx-ingress-controller', '--ingress-class=nginx', '--publish-service=$(POD_NAMESPACE)/gateway'],
        ports: [port('http', 80), port('https', 443), port('metrics', 10254)],
        requests: { cpu: '100m', memory: '96Mi' },
        limits: { memory: '256Mi' },
        env: { POD_NAMESPACE: 'ingress' },
        hasTcpProbe: true,
      },
    ],
    servicePorts: [port('http', 80), port('https', 443)],
    serviceType: 'LoadBalancer',
    minAvailable: 1,
  },
];

const SYSTEM: readonly App[] = [
  {
    namespace: 'kube-system',
    name: 'coredns',
    kind: 'Deployment',
    replicas: 2,
    age: CLUSTER_AGE,
    selector: { 'k8s-app': 'kube-dns' },
    priorityClass: 'system-cluster-critical',
    containers: [
      {
        name: 'coredns',
        image: `registry.k8s.io/coredns/coredns:${versionOf('coredns')}`,
        args: ['-conf', '/etc/coredns/Corefile'],
        ports: [port('dns-tcp', 53), { ...port('dns', 53), protocol: 'UDP' }, port('metrics', 9153), port('health', 8080)],
        requests: { cpu: '100m', memory: '70Mi' },
        limits: { memory: '170Mi' },
        hasTcpProbe: true,
        mounts: { config: '/etc/coredns' },
      },
    ],
    config: {
      Corefile:
        '.:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    prometheus :9153\n    forward . /etc/resolv.conf\n    cache 30\n}\n',
    },
    servicePorts: [{ ...port('dns', 53), protocol: 'UDP' }, port('dns-tcp', 53), port('metrics', 9153)],
    serviceName: 'kube-dns',
  },
  {
    namespace: 'kube-system',
    name: 'kube-proxy',
    kind: 'DaemonSet',
    replicas: 4,
    age: CLUSTER_AGE,
    selector: { 'k8s-app': 'kube-proxy' },
    priorityClass: 'system-node-critical',
    hostNetwork: true,
    toleratesAll: true,
    hostPaths: { 'lib-modules': '/lib/modules' },
    containers: [
      {
        name: 'kube-proxy',
        image: `registry.k8s.io/kube-proxy:${versionOf('kube-proxy')}`,
        command: ['/usr/local/bin/kube-proxy', '--config=/etc/config/config.conf'],
        mounts: { config: '/etc/config', 'lib-modules': '/lib/modules' },
      },
    ],
    config: { 'config.conf': 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n' },
  },
  {
    namespace: 'kube-system',
    name: 'metrics-server',
    kind: 'Deployment',
    replicas: 1,
    age: CLUSTER_AGE,
    selector: { 'k8s-app': 'metrics-server' },
    priorityClass: 'system-cluster-critical',
    containers: [
      {
        name: 'metrics-server',
        image: `registry.k8s.io/metrics-server/metrics-server:${versionOf('metrics-server')}`,
        args: ['--cert-dir=/tmp', '--secure-port=10250', '--kubelet-preferred-address-types=InternalIP', '--metric-resolution=15s'],
        ports: [port('https', 10250)],
        requests: { cpu: '100m', memory: '200Mi' },
        hasTcpProbe: true,
        mounts: { tmp: '/tmp' },
      },
    ],
    emptyDirs: ['tmp'],
    servicePorts: [{ name: 'https', port: 443, target: 'https' }],
  },
  {
    namespace: 'kube-system',
    name: 'csi-hostpath',
    kind: 'DaemonSet',
    replicas: 4,
    age: CLUSTER_AGE,
    selector: { app: 'csi-hostpath' },
    priorityClass: 'system-node-critical',
    toleratesAll: true,
    hostPaths: { 'plugin-dir': '/var/lib/kubelet/plugins/csi-hostpath', 'registration-dir': '/var/lib/kubelet/plugins_registry' },
    containers: [
      {
        name: 'hostpath',
        image: `registry.k8s.io/sig-storage/hostpathplugin:${versionOf('csi-hostpath')}`,
        args: ['--drivername=hostpath.csi.k8s.io', '--endpoint=unix:///csi/csi.sock'],
        ports: [port('healthz', 9898)],
        probePath: '/healthz',
        mounts: { 'plugin-dir': '/csi' },
      },
      {
        name: 'node-driver-registrar',
        image: 'registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.13.0',
        args: ['--csi-address=/csi/csi.sock', '--kubelet-registration-path=/var/lib/kubelet/plugins/csi-hostpath/csi.sock'],
        mounts: { 'plugin-dir': '/csi', 'registration-dir': '/registration' },
      },
    ],
  },
];

export const PLATFORM_APPS: readonly App[] = [...DATA, ...OBSERVABILITY, ...INGRESS, ...SYSTEM];
