// Many pods for load tests, in a namespace of their own: two containers each, with the weight of real ones.
import { DAY, hashOf, NODES, type Shop, suffixOf, uuidOf } from '../../shop.ts';
import { withDefaults } from '../defaults.ts';
import { type JsonObject, objectAt, textsAt, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { admitPod, withTopology } from '../pod-admission.ts';
import { backingOff, type ContainerState, containerIdOf, terminated, toPodStatus } from '../pod-status.ts';
import { topologyOf } from './nodes.ts';
import { stamped, withManager } from './stamp.ts';

/** Their namespace. */
export const BENCH = 'bench';
const PER_WORKLOAD = 500;
/** One pod in so many is in CrashLoopBackOff. */
const FAILING_EVERY = 97;

const CONTROLLER = 'kube-controller-manager';

const variables = (count: number): JsonObject[] =>
  Array.from({ length: count }, (_, index) => ({ name: `SETTING_${String(index).padStart(2, '0')}`, value: `value-of-setting-${index}` }));

const probe = (path: string): JsonObject => ({ httpGet: { path, port: 'http' }, initialDelaySeconds: 10, periodSeconds: 5 });

const templateOf = (name: string): { metadata: JsonObject; spec: JsonObject } => ({
  metadata: {
    labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': name, tier: 'load' },
    annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' },
  },
  spec: {
    volumes: [{ name: 'config', configMap: { name: `${name}-config` } }],
    containers: [
      {
        name: 'app',
        image: `registry.example.com/load/${name}:1.0.0`,
        ports: [{ name: 'http', containerPort: 8080 }],
        env: variables(3),
        resources: { limits: { memory: '64Mi' }, requests: { cpu: '1m', memory: '1Mi' } },
        volumeMounts: [{ name: 'config', mountPath: '/etc/config' }],
        livenessProbe: probe('/healthz'),
        readinessProbe: probe('/ready'),
      },
      {
        name: 'sidecar',
        image: 'docker.io/envoyproxy/envoy:v1.34.1',
        args: ['-c', '/etc/envoy/envoy.yaml'],
        resources: { limits: { memory: '32Mi' }, requests: { cpu: '1m', memory: '1Mi' } },
      },
    ],
  },
});

interface Group {
  readonly name: string;
  readonly hash: string;
  readonly count: number;
  readonly createdAt: number;
}

const failingState = (pod: KubernetesObject, at: number): ContainerState => ({
  state: backingOff(pod, 'app', '5m0s'),
  lastState: terminated({
    reason: 'Error',
    exitCode: 1,
    startedAt: at - 90_000,
    endedAt: at - 60_000,
    containerId: containerIdOf(pod.metadata.uid ?? '', 'app', 11),
  }),
  restarts: 12,
  isReady: false,
  isStarted: false,
});

/** One pod complete; the others are copies that differ in name, place and state. */
const modelOf = (shop: Shop, set: KubernetesObject, group: Group): KubernetesObject => {
  const template = templateOf(group.name);
  const plain: KubernetesObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `${set.metadata.name}-model`,
      namespace: BENCH,
      labels: { ...textsAt(set, 'spec', 'template', 'metadata', 'labels') },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' },
    },
    spec: template.spec,
  };
  const written = withDefaults(plain);
  return stamped(shop, admitPod(written), {
    createdAt: group.createdAt,
    generation: 1,
    manager: CONTROLLER,
    owner: set,
    generateName: `${set.metadata.name}-`,
    written,
  });
};

const copyOf = (shop: Shop, model: KubernetesObject, set: KubernetesObject, number: number): KubernetesObject => {
  const key = `${shop.seed}/bench/${number}`;
  const node = NODES[number % NODES.length];
  const name = `${set.metadata.name}-${suffixOf(key)}`;
  const createdAt = Date.parse(model.metadata.creationTimestamp ?? '');
  const metadata = { ...model.metadata, name, uid: uuidOf(key) };
  const placed = { ...model, metadata, spec: { ...objectAt(model, 'spec'), nodeName: node?.name ?? '' } };
  const pod =
    node === undefined
      ? placed
      : withTopology(placed, { kind: 'Node', apiVersion: 'v1', metadata: { name: node.name, labels: topologyOf(node) } });
  const times = { scheduledAt: createdAt, initializedAt: createdAt + 2000, readyAt: createdAt + 12_000 };
  const address = `10.${100 + Math.floor(number / 65_536)}.${Math.floor(number / 256) % 256}.${number % 256}`;
  const states: Record<string, ContainerState> = isFailing(number) ? { app: failingState(pod, shop.startedAt) } : {};
  const place = { node: node?.name ?? '', nodeAddress: node?.address ?? '', address };
  return { ...pod, status: toPodStatus(pod, { place, times, states }) };
};

const isFailing = (number: number): boolean => number % FAILING_EVERY === 0;

const groupObjects = (shop: Shop, index: number, count: number): KubernetesObject[] => {
  const name = `load-${String(index).padStart(2, '0')}`;
  const group = { name, hash: suffixOf(`${shop.seed}/bench/${name}`, 10), count, createdAt: shop.before((1 + (hashOf(name) % 20)) * DAY) };
  const template = templateOf(name);
  const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': name };
  const first = index * PER_WORKLOAD;
  const numbers = Array.from({ length: count }, (_, offset) => first + offset);
  const ready = numbers.filter((number) => !isFailing(number)).length;
  const condition = (type: string, status: string, reason: string, message: string): JsonObject => ({
    type,
    status,
    lastUpdateTime: toTime(group.createdAt + 60_000),
    lastTransitionTime: toTime(group.createdAt + 60_000),
    reason,
    message,
  });
  const counts = { replicas: count, readyReplicas: ready, availableReplicas: ready };
  const deployment = stamped(
    shop,
    {
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      metadata: { name, namespace: BENCH, labels },
      spec: { replicas: count, selector: { matchLabels: labels }, template },
    },
    {
      createdAt: group.createdAt,
      generation: 1,
      manager: 'kubectl-create',
      status: {
        observedGeneration: 1,
        ...counts,
        updatedReplicas: count,
        ...(count > ready ? { unavailableReplicas: count - ready } : {}),
        conditions: [
          condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'),
          condition('Progressing', 'True', 'NewReplicaSetAvailable', `ReplicaSet "${name}-${group.hash}" has successfully progressed.`),
        ],
      },
      statusManager: CONTROLLER,
      annotations: { 'deployment.kubernetes.io/revision': '1' },
    },
  );
  const hashed = { ...labels, 'pod-template-hash': group.hash };
  const set = stamped(
    shop,
    {
      kind: 'ReplicaSet',
      apiVersion: 'apps/v1',
      metadata: { name: `${name}-${group.hash}`, namespace: BENCH, labels: hashed },
      spec: {
        replicas: count,
        selector: { matchLabels: hashed },
        template: {
          ...template,
          metadata: { ...template.metadata, labels: { ...objectAt(template.metadata, 'labels'), 'pod-template-hash': group.hash } },
        },
      },
    },
    {
      createdAt: group.createdAt,
      generation: 1,
      manager: CONTROLLER,
      owner: deployment,
      status: { ...counts, fullyLabeledReplicas: count, observedGeneration: 1 },
      statusManager: CONTROLLER,
      annotations: {
        'deployment.kubernetes.io/desired-replicas': String(count),
        'deployment.kubernetes.io/max-replicas': String(count + Math.ceil(count / 4)),
        'deployment.kubernetes.io/revision': '1',
      },
    },
  );
  const model = modelOf(shop, set, group);
  const seen = { status: copyOf(shop, model, set, first + 1)['status'] };
  const owned = withManager(
    model,
    toManagedFields(seen, {
      manager: 'kubelet',
      operation: 'Update',
      apiVersion: 'v1',
      kind: 'Pod',
      time: toTime(group.createdAt + 12_000),
      subresource: 'status',
    }),
  );
  return [deployment, set, ...numbers.map((number) => copyOf(shop, owned, set, number))];
};

/** `count` pods with the Deployments that own them. */
export const benchObjects = (shop: Shop, count: number): KubernetesObject[] => {
  if (count <= 0) return [];
  const namespace: KubernetesObject = { kind: 'Namespace', apiVersion: 'v1', metadata: { name: BENCH } };
  const groups = Math.ceil(count / PER_WORKLOAD);
  const workloads = Array.from({ length: groups }, (_, index) =>
    groupObjects(shop, index, Math.min(PER_WORKLOAD, count - index * PER_WORKLOAD)),
  );
  return [
    stamped(shop, namespace, { createdAt: shop.before(30 * DAY), manager: 'kubectl-create', status: { phase: 'Active' } }),
    ...workloads.flat(),
  ];
};
