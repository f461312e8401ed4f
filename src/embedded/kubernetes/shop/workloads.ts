// The workloads of the shop with their ReplicaSets, revisions and pods, each in the state that the story gives it.
import {
  hashOf,
  MINUTE,
  NODES,
  PAYMENT,
  PAYMENT_CREATED,
  SECOND,
  type Shop,
  type ShopPod,
  STORY,
  suffixOf,
  uuidOf,
  WORKLOADS,
} from '../../shop.ts';
import { withDefaults } from '../defaults.ts';
import { isObject, type JsonObject, objectAt, objectsAt, textAt, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { admitPod, withTopology } from '../pod-admission.ts';
import { type ContainerState, toPendingStatus, toPodStatus } from '../pod-status.ts';
import { type App, renderApp, toTemplate } from './app.ts';
import { paymentApp, recommendationApp } from './apps-shop.ts';
import { type Revision, releaseOf, revisionsOf, timesOf } from './history.ts';
import { LIMIT_RANGE } from './limits.ts';
import { topologyOf } from './nodes.ts';
import { paymentState } from './payment.ts';
import { stamped, withManager } from './stamp.ts';

const CONTROLLER = 'kube-controller-manager';

/** The scheduler's words for the stuck pod. */
export const UNSCHEDULABLE =
  "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.";

interface PodPlan {
  readonly pod: ShopPod;
  readonly createdAt: number;
  readonly states?: Readonly<Record<string, ContainerState>>;
  readonly readinessChangedAt?: number;
}

interface SetPlan {
  readonly app: App;
  readonly hash: string;
  readonly revision: number;
  readonly createdAt: number;
  readonly replicas: number;
  readonly ready: number;
}

const workloadOf = ({ namespace, name }: App): (typeof WORKLOADS)[number] | undefined =>
  WORKLOADS.find((entry) => entry.namespace === namespace && entry.name === name);

const generationOf = (app: App, revision: number): number => (app.name === 'web' ? revision + 9 : revision);

const podsPlanned = (shop: Shop, app: App, changedAt: number): PodPlan[] => {
  const workload = workloadOf(app);
  if (workload === undefined) return [];
  return Array.from({ length: workload.replicas }, (_, ordinal) => {
    const pod = shop.pod(workload, ordinal);
    if (app.name === 'payment') return planPayment(shop, pod, ordinal);
    const isScaledUp = app.name === 'web' && ordinal >= app.replicas;
    const createdAt = isScaledUp ? shop.before(STORY.webScaled) : changedAt + ordinal * 14 * SECOND + (hashOf(pod.uid) % 4) * SECOND;
    return { pod, createdAt };
  });
};

const planPayment = (shop: Shop, pod: ShopPod, ordinal: number): PodPlan => {
  const createdAt = shop.before((PAYMENT_CREATED[ordinal] ?? 0) * SECOND);
  const { state, readinessChangedAt } = paymentState(shop, pod, ordinal, shop.startedAt);
  return { pod, createdAt, states: { payment: state }, readinessChangedAt };
};

/** A pod made from a template, admitted and with defaults, without status. */
export const toPod = (
  shop: Shop,
  owner: KubernetesObject,
  template: { metadata: JsonObject; spec: JsonObject },
  plan: PodPlan,
  labels: Record<string, string>,
): KubernetesObject => {
  const { pod, createdAt } = plan;
  const spec = structuredClone(template.spec);
  if (pod.node !== '') spec['nodeName'] = pod.node;
  if (owner.kind === 'StatefulSet') Object.assign(spec, { hostname: pod.name, subdomain: textAt(owner, 'spec', 'serviceName') });
  const templateLabels = objectAt(template.metadata, 'labels');
  const annotations = template.metadata['annotations'];
  const plain: KubernetesObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      labels: { ...Object.fromEntries(Object.entries(templateLabels).map(([key, value]) => [key, String(value)])), ...labels },
      ...(isObject(annotations)
        ? { annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, String(value)])) }
        : {}),
    },
    spec,
  };
  const claimed = withDefaults(withClaims(owner, pod, plain));
  const admitted = admitPod(claimed, pod.namespace === LIMIT_RANGE.metadata.namespace ? [LIMIT_RANGE] : []);
  return stamped(shop, withTopology(admitted, nodeOf(pod)), {
    createdAt,
    written: claimed,
    generation: 1,
    manager: CONTROLLER,
    owner,
    uid: pod.uid,
    generateName: `${owner.metadata.name}-`,
  });
};

/** The labels of the pod's node, as admission sees them. */
const nodeOf = ({ node }: ShopPod): KubernetesObject | undefined => {
  const found = NODES.find(({ name }) => name === node);
  if (found === undefined) return undefined;
  return { kind: 'Node', apiVersion: 'v1', metadata: { name: node, labels: topologyOf(found) } };
};

/** A StatefulSet's pod mounts the claims that were made for its ordinal. */
const withClaims = (owner: KubernetesObject, pod: ShopPod, object: KubernetesObject): KubernetesObject => {
  const claims = objectsAt(owner, 'spec', 'volumeClaimTemplates').map((claim) => textAt(claim, 'metadata', 'name'));
  const spec = objectAt(object, 'spec');
  const volumes = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: `${name}-${pod.name}` } }));
  return claims.length === 0 ? object : { ...object, spec: { ...spec, volumes: [...volumes, ...objectsAt(spec, 'volumes')] } };
};

const placeOf = (pod: ShopPod): { node: string; nodeAddress: string; address: string } => ({
  node: pod.node,
  nodeAddress: NODES.find(({ name }) => name === pod.node)?.address ?? '',
  address: pod.address,
});

const withRunningStatus = (pod: KubernetesObject, plan: PodPlan, statusAt: number): KubernetesObject => {
  const { createdAt, states = {}, readinessChangedAt } = plan;
  const times = {
    scheduledAt: createdAt,
    initializedAt: createdAt + 2 * SECOND,
    readyAt: createdAt + 12 * SECOND,
    ...(readinessChangedAt === undefined ? {} : { readinessChangedAt }),
  };
  const status = toPodStatus(pod, { place: placeOf(plan.pod), times, states });
  const fields = toManagedFields(
    { status },
    { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', kind: 'Pod', time: toTime(statusAt), subresource: 'status' },
  );
  return withManager({ ...pod, status }, fields);
};

const replicaSetOf = (
  shop: Shop,
  deployment: KubernetesObject,
  { app, hash, revision, createdAt, replicas, ready }: SetPlan,
): KubernetesObject => {
  const template = toTemplate(app);
  const labels = { ...labelsText(template.metadata), 'pod-template-hash': hash };
  const plain: KubernetesObject = {
    kind: 'ReplicaSet',
    apiVersion: 'apps/v1',
    metadata: { name: `${app.name}-${hash}`, namespace: app.namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { ...template.metadata, labels }, spec: template.spec },
    },
  };
  const status: JsonObject = {
    replicas,
    ...(replicas === 0 ? {} : { fullyLabeledReplicas: replicas }),
    ...(ready === 0 ? {} : { readyReplicas: ready, availableReplicas: ready }),
    observedGeneration: replicas === 0 ? 3 : 1,
  };
  return stamped(shop, plain, {
    createdAt,
    generation: replicas === 0 ? 3 : 1,
    manager: CONTROLLER,
    owner: deployment,
    status,
    statusManager: CONTROLLER,
    statusAt: createdAt + MINUTE,
    annotations: {
      'deployment.kubernetes.io/desired-replicas': String(app.replicas),
      'deployment.kubernetes.io/max-replicas': String(app.replicas + Math.ceil(app.replicas / 4)),
      'deployment.kubernetes.io/revision': String(revision),
    },
  });
};

const labelsText = (metadata: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(objectAt(metadata, 'labels')).map(([key, value]) => [key, String(value)]));

const condition = (type: string, status: string, since: number, updated: number, reason: string, message: string): JsonObject => ({
  type,
  status,
  lastUpdateTime: toTime(updated),
  lastTransitionTime: toTime(since),
  reason,
  message,
});

const deploymentStatus = (
  shop: Shop,
  app: App,
  times: { createdAt: number; changedAt: number; revision: number },
  set: string,
): JsonObject => {
  const replicas = workloadOf(app)?.replicas ?? app.replicas;
  const isStuck = app.name === 'recommendation';
  const ready = app.name === 'payment' ? 2 : replicas;
  const generation = generationOf(app, times.revision);
  const lost = shop.before(190 * SECOND);
  const available =
    ready < replicas
      ? condition('Available', 'False', lost, lost, 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.')
      : condition(
          'Available',
          'True',
          times.createdAt + 30 * SECOND,
          times.createdAt + 30 * SECOND,
          'MinimumReplicasAvailable',
          'Deployment has minimum availability.',
        );
  const deadline = times.changedAt + 10 * MINUTE;
  const progressing = isStuck
    ? condition('Progressing', 'False', deadline, deadline, 'ProgressDeadlineExceeded', `ReplicaSet "${set}" has timed out progressing.`)
    : condition(
        'Progressing',
        'True',
        times.createdAt,
        times.changedAt + MINUTE,
        'NewReplicaSetAvailable',
        `ReplicaSet "${set}" has successfully progressed.`,
      );
  return {
    observedGeneration: generation,
    replicas: isStuck ? replicas + 1 : replicas,
    updatedReplicas: isStuck ? 1 : replicas,
    readyReplicas: ready,
    availableReplicas: ready,
    ...(isStuck || ready < replicas ? { unavailableReplicas: 1 } : {}),
    conditions: [available, progressing],
  };
};

/** What older revisions of the template were, newest first; at most two are shown, as old as the release's history. */
const olderSets = (shop: Shop, app: App, revisions: readonly Revision[]): SetPlan[] =>
  revisions
    .slice(0, -1)
    .toReversed()
    .slice(0, 2)
    .map(({ number, at, appVersion }) => ({
      app: oldApp(app, number, appVersion),
      hash: shop.templateHash(app.namespace, app.name, appVersion),
      revision: number,
      createdAt: at,
      replicas: 0,
      ready: 0,
    }));

const oldApp = (app: App, revision: number, version: string): App => {
  if (app.name === 'payment' && revision <= PAYMENT.good.revision) return withTag(paymentApp(PAYMENT.good), version);
  return app.name === 'recommendation' ? withTag(recommendationApp(false), version) : withTag(app, version);
};

const withTag = (app: App, version: string): App => ({
  ...app,
  containers: app.containers.map((container, index) =>
    index === 0 ? { ...container, image: container.image.replace(/:[^/:]+$/, `:${version}`) } : container,
  ),
});

const deploymentObjects = (shop: Shop, app: App, manifest: KubernetesObject): KubernetesObject[] => {
  const times = timesOf(shop, app);
  const workload = workloadOf(app);
  if (workload === undefined) return [];
  const isStuck = app.name === 'recommendation';
  const hash = shop.templateHash(app.namespace, app.name, workload.version);
  const stuckHash = shop.templateHash(app.namespace, app.name, `${workload.version}-r3`);
  const newest = `${app.name}-${isStuck ? stuckHash : hash}`;
  const deployment = stampDeployment(shop, app, manifest, times, newest);
  const release = releaseOf(app);
  const revisions = release === undefined ? [] : revisionsOf(shop, release, app.age);
  const plans = podsPlanned(shop, isStuck ? recommendationApp(false) : app, revisions.at(isStuck ? -2 : -1)?.at ?? times.changedAt);
  const ready = app.name === 'payment' ? 2 : workload.replicas;
  const older = olderSets(shop, app, revisions);
  const current = { app, hash, revision: times.revision, createdAt: times.changedAt, replicas: workload.replicas, ready };
  const sets: SetPlan[] = isStuck
    ? [
        { app, hash: stuckHash, revision: times.revision, createdAt: times.changedAt, replicas: 1, ready: 0 },
        {
          app: recommendationApp(false),
          hash,
          revision: times.revision - 1,
          createdAt: older[0]?.createdAt ?? times.createdAt,
          replicas: 2,
          ready: 2,
        },
      ]
    : [current, ...older];
  const made = sets.map((set) => ({ set, object: replicaSetOf(shop, deployment, set) }));
  const home = made.find(({ set }) => set.hash === hash);
  const pods = home === undefined ? [] : plans.map((plan) => podOf(shop, home.object, home.set, plan));
  return [deployment, ...made.map(({ object }) => object), ...pods, ...(isStuck ? [stuckPod(shop, made[0])] : [])];
};

const podOf = (shop: Shop, set: KubernetesObject, { app, hash }: SetPlan, plan: PodPlan): KubernetesObject => {
  const pod = toPod(shop, set, toTemplate(app), plan, { 'pod-template-hash': hash });
  return withRunningStatus(pod, plan, plan.readinessChangedAt ?? plan.createdAt + 12 * SECOND);
};

const stuckPod = (shop: Shop, made: { set: SetPlan; object: KubernetesObject } | undefined): KubernetesObject => {
  if (made === undefined) throw new Error('the stuck rollout has no ReplicaSet');
  const { set, object } = made;
  const name = `${object.metadata.name}-${suffixOf(`${shop.seed}/stuck`)}`;
  const pod: ShopPod = {
    namespace: set.app.namespace,
    workload: set.app.name,
    name,
    uid: uuidOf(`${shop.seed}/stuck`),
    node: '',
    address: '',
    containers: [],
  };
  const plain = toPod(shop, object, toTemplate(set.app), { pod, createdAt: set.createdAt }, { 'pod-template-hash': set.hash });
  const status = toPendingStatus(plain, set.createdAt, UNSCHEDULABLE);
  const fields = toManagedFields(
    { status },
    { manager: 'kube-scheduler', operation: 'Update', apiVersion: 'v1', kind: 'Pod', time: toTime(set.createdAt), subresource: 'status' },
  );
  return withManager({ ...plain, status }, fields);
};

const HELM_NOTES = (app: App): Record<string, string> =>
  releaseOf(app) === undefined
    ? {}
    : { 'meta.helm.sh/release-name': app.release ?? app.name, 'meta.helm.sh/release-namespace': app.namespace };

export const managerOf = (app: App): string => (releaseOf(app) === undefined ? 'kubeadm' : 'helm');

const stampDeployment = (
  shop: Shop,
  app: App,
  manifest: KubernetesObject,
  times: { createdAt: number; changedAt: number; revision: number },
  set: string,
): KubernetesObject => {
  const replicas = workloadOf(app)?.replicas ?? app.replicas;
  const spec = { ...objectAt(manifest, 'spec'), replicas };
  const deployment = stamped(
    shop,
    { ...manifest, spec },
    {
      createdAt: times.createdAt,
      generation: generationOf(app, times.revision),
      manager: managerOf(app),
      writtenAt: times.changedAt,
      status: deploymentStatus(shop, app, times, set),
      statusManager: CONTROLLER,
      statusAt: app.name === 'payment' ? shop.before(190 * SECOND) : times.changedAt + MINUTE,
      annotations: { 'deployment.kubernetes.io/revision': String(times.revision), ...HELM_NOTES(app) },
    },
  );
  if (app.name !== 'web') return deployment;
  const time = toTime(shop.before(STORY.webScaled));
  return withManager(
    deployment,
    toManagedFields(
      { spec: { replicas } },
      { manager: CONTROLLER, operation: 'Update', apiVersion: 'apps/v1', kind: 'Deployment', time, subresource: 'scale' },
    ),
  );
};

const setStatus = (app: App, generation: number, hash: string): JsonObject => {
  const { replicas } = app;
  if (app.kind === 'DaemonSet') {
    return {
      currentNumberScheduled: replicas,
      numberMisscheduled: 0,
      desiredNumberScheduled: replicas,
      numberReady: replicas,
      observedGeneration: generation,
      updatedNumberScheduled: replicas,
      numberAvailable: replicas,
    };
  }
  const revision = `${app.name}-${hash}`;
  return {
    observedGeneration: generation,
    replicas,
    readyReplicas: replicas,
    currentReplicas: replicas,
    updatedReplicas: replicas,
    currentRevision: revision,
    updateRevision: revision,
    collisionCount: 0,
    availableReplicas: replicas,
  };
};

/** StatefulSets and DaemonSets keep their revisions in ControllerRevisions. */
const setObjects = (shop: Shop, app: App, manifest: KubernetesObject): KubernetesObject[] => {
  const times = timesOf(shop, app);
  const hash = shop.templateHash(app.namespace, app.name, workloadOf(app)?.version ?? '');
  const annotations =
    app.kind === 'DaemonSet' ? { 'deprecated.daemonset.template.generation': String(times.revision), ...HELM_NOTES(app) } : HELM_NOTES(app);
  const owner = stamped(shop, manifest, {
    createdAt: times.createdAt,
    generation: times.revision,
    manager: managerOf(app),
    writtenAt: times.changedAt,
    status: setStatus(app, times.revision, hash),
    statusManager: CONTROLLER,
    statusAt: times.changedAt + 2 * MINUTE,
    annotations,
  });
  const revision = controllerRevision(shop, owner, app, hash, times.revision, times.changedAt);
  const labels = (pod: ShopPod): Record<string, string> => ({
    'controller-revision-hash': app.kind === 'DaemonSet' ? hash : `${app.name}-${hash}`,
    ...(app.kind === 'DaemonSet'
      ? { 'pod-template-generation': String(times.revision) }
      : { 'apps.kubernetes.io/pod-index': pod.name.split('-').at(-1) ?? '', 'statefulset.kubernetes.io/pod-name': pod.name }),
  });
  const pods = podsPlanned(shop, app, times.changedAt).map((plan) => {
    const pod = toPod(shop, owner, toTemplate(app), plan, labels(plan.pod));
    return withRunningStatus(pod, plan, plan.createdAt + 12 * SECOND);
  });
  return [owner, revision, ...pods];
};

const controllerRevision = (
  shop: Shop,
  owner: KubernetesObject,
  app: App,
  hash: string,
  number: number,
  createdAt: number,
): KubernetesObject => {
  const template = objectAt(withDefaults(owner), 'spec', 'template');
  return stamped(
    shop,
    {
      kind: 'ControllerRevision',
      apiVersion: 'apps/v1',
      metadata: {
        name: `${app.name}-${hash}`,
        namespace: app.namespace,
        labels: {
          ...labelsText(toTemplate(app).metadata),
          [app.kind === 'DaemonSet' ? 'controller-revision-hash' : 'controller.kubernetes.io/hash']: hash,
        },
      },
      data: { spec: { template: { $patch: 'replace', ...template } } },
      revision: number,
    },
    { createdAt, manager: CONTROLLER, owner },
  );
};

const PLAIN_GENERATIONS: Readonly<Record<string, number>> = { PodDisruptionBudget: 1 };

/** Everything that belongs to an application: what its chart installs, and what the controllers made of it. */
export const appObjects = (shop: Shop, app: App): KubernetesObject[] => {
  const release = releaseOf(app);
  const chart = release === undefined ? '' : `${release.name}-${release.chartVersion}`;
  const times = timesOf(shop, app);
  return renderApp(app, release?.appVersion ?? '', chart).flatMap((manifest) => {
    if (manifest.kind === 'Deployment') return deploymentObjects(shop, app, manifest);
    if (manifest.kind === 'StatefulSet' || manifest.kind === 'DaemonSet') return setObjects(shop, app, manifest);
    const generation = PLAIN_GENERATIONS[manifest.kind];
    return [
      stamped(shop, manifest, {
        createdAt: times.createdAt,
        manager: managerOf(app),
        writtenAt: times.changedAt,
        annotations: HELM_NOTES(app),
        ...(generation === undefined ? {} : { generation }),
      }),
    ];
  });
};
