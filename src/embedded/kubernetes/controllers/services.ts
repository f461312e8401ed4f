// What follows from the pods: endpoints of Services, budgets, quotas, volumes of claims.
import { suffixOf } from '../../shop.ts';
import { budgetStatus, chosenBy } from '../budget-status.ts';
import { at, isEqual, type JsonObject, numberAt, objectAt, objectsAt, textAt, textsAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { usedOf } from '../quota.ts';
import { backendsOf, portsOf, toEndpoint, toEndpointAddress } from '../shop/network.ts';
import { AUTOSCALERS, leadAutoscaler } from './autoscalers.ts';
import { type Cluster, controllerOf, ownerReferenceTo } from './cluster.ts';

const SLICES = 'endpointslices.discovery.k8s.io';
const TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

const leadSlice = (cluster: Cluster, service: KubernetesObject): void => {
  const { name, namespace = '' } = service.metadata;
  const backends = backendsOf(service, cluster.store.all('pods', namespace));
  const endpoints = backends.map(toEndpoint);
  const ports = portsOf(service, backends[0]?.pod);
  const known = cluster.store
    .all(SLICES, namespace)
    .find(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name && metadata.labels[MANAGED_BY] !== undefined);
  if (known === undefined) {
    cluster.create(SLICES, {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      metadata: {
        name: `${name}-${suffixOf(cluster.next())}`,
        generateName: `${name}-`,
        namespace,
        generation: 1,
        labels: { ...service.metadata.labels, [MANAGED_BY]: 'endpointslice-controller.k8s.io', 'kubernetes.io/service-name': name },
        annotations: { [TRIGGER]: toTime(cluster.now) },
        ownerReferences: [ownerReferenceTo(service)],
      },
      addressType: 'IPv4',
      endpoints,
      ports,
    });
    return;
  }
  if (isEqual(known['endpoints'], endpoints) && isEqual(known['ports'], ports)) return;
  const annotations = { ...known.metadata.annotations, [TRIGGER]: toTime(cluster.now) };
  const generation = (known.metadata.generation ?? 1) + 1;
  cluster.update(SLICES, { ...known, metadata: { ...known.metadata, generation, annotations }, endpoints, ports }, known);
};

const leadEndpoints = (cluster: Cluster, service: KubernetesObject): void => {
  const { name, namespace = '', labels } = service.metadata;
  const backends = backendsOf(service, cluster.store.all('pods', namespace));
  const ready = backends.filter(({ isReady }) => isReady).map(toEndpointAddress);
  const unready = backends.filter(({ isReady }) => !isReady).map(toEndpointAddress);
  const subset = {
    ...(ready.length === 0 ? {} : { addresses: ready }),
    ...(unready.length === 0 ? {} : { notReadyAddresses: unready }),
    ports: portsOf(service, backends[0]?.pod),
  };
  const content: JsonObject = backends.length === 0 ? {} : { subsets: [subset] };
  const known = cluster.store.get('endpoints', namespace, name);
  if (known !== undefined && isEqual(known['subsets'], content['subsets'])) return;
  const annotations = { [TRIGGER]: toTime(cluster.now) };
  const plain: KubernetesObject = {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: { name, namespace, labels: { ...labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' }, annotations },
    ...content,
  };
  if (known === undefined) cluster.create('endpoints', plain);
  else cluster.update('endpoints', { ...plain, metadata: { ...known.metadata, annotations } }, known);
};

export const leadService = (cluster: Cluster, service: KubernetesObject): void => {
  if (Object.keys(textsAt(service, 'spec', 'selector')).length === 0) return;
  leadSlice(cluster, service);
  leadEndpoints(cluster, service);
};

const BUDGETS = 'poddisruptionbudgets.policy';

/** How many pods the workloads of the chosen pods want. */
const expectedFor = (cluster: Cluster, pods: readonly KubernetesObject[]): number => {
  const wanted = new Map<string, number>();
  for (const pod of pods) {
    const owner = controllerOf(pod.metadata);
    const storage = owner === undefined ? undefined : SCALED[owner.kind];
    const set =
      storage === undefined || owner === undefined ? undefined : cluster.store.get(storage, pod.metadata.namespace ?? '', owner.name);
    const above = set === undefined ? undefined : controllerOf(set.metadata);
    const whole = above?.kind === 'Deployment' ? cluster.store.get('deployments.apps', pod.metadata.namespace ?? '', above.name) : set;
    if (whole !== undefined) wanted.set(whole.metadata.uid ?? '', numberAt(whole, 'spec', 'replicas'));
  }
  return [...wanted.values()].reduce((sum, count) => sum + count, 0);
};

const SCALED: Readonly<Record<string, string>> = { ReplicaSet: 'replicasets.apps', StatefulSet: 'statefulsets.apps' };

const leadBudget = (cluster: Cluster, budget: KubernetesObject): void => {
  const pods = cluster.store.all('pods', budget.metadata.namespace ?? '');
  const expected = expectedFor(cluster, chosenBy(budget, pods));
  cluster.updateStatus(BUDGETS, budget, budgetStatus(budget, { pods, expected, now: cluster.now }));
};

/** A claim is bound when a pod that uses it has a node. */
const leadClaim = (cluster: Cluster, claim: KubernetesObject): void => {
  if (textAt(claim, 'status', 'phase') !== 'Pending') return;
  const namespace = claim.metadata.namespace ?? '';
  const user = cluster.store
    .all('pods', namespace)
    .find(
      (pod) =>
        objectsAt(pod, 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === claim.metadata.name) &&
        textAt(pod, 'spec', 'nodeName') !== '',
    );
  const storageClass = cluster.store.get('storageclasses.storage.k8s.io', '', textAt(claim, 'spec', 'storageClassName'));
  if (user === undefined || storageClass === undefined) return;
  const name = `pvc-${claim.metadata.uid}`;
  const size = textAt(claim, 'spec', 'resources', 'requests', 'storage');
  const accessModes = at(claim, 'spec', 'accessModes') ?? [];
  cluster.create('persistentvolumes', {
    kind: 'PersistentVolume',
    apiVersion: 'v1',
    metadata: {
      name,
      finalizers: ['kubernetes.io/pv-protection'],
      annotations: { 'pv.kubernetes.io/provisioned-by': textAt(storageClass, 'provisioner') },
    },
    spec: {
      capacity: { storage: size },
      csi: { driver: textAt(storageClass, 'provisioner'), volumeHandle: name },
      accessModes,
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name: claim.metadata.name, uid: claim.metadata.uid ?? '', apiVersion: 'v1' },
      persistentVolumeReclaimPolicy: textAt(storageClass, 'reclaimPolicy'),
      storageClassName: storageClass.metadata.name,
      volumeMode: 'Filesystem',
    },
    status: { phase: 'Bound' },
  });
  const bound = cluster.update('persistentvolumeclaims', { ...claim, spec: { ...objectAt(claim, 'spec'), volumeName: name } }, claim);
  cluster.updateStatus('persistentvolumeclaims', bound, { phase: 'Bound', accessModes, capacity: { storage: size } });
};

const isChanged = (status: JsonObject, object: KubernetesObject): boolean => !isEqual(status, object['status']);

/** Everything that depends on pods without owning them. */
export const leadDependents = (cluster: Cluster): void => {
  for (const service of cluster.store.all('services')) leadService(cluster, service);
  for (const budget of cluster.store.all(BUDGETS)) leadBudget(cluster, budget);
  for (const quota of cluster.store.all('resourcequotas')) {
    const status = { hard: objectAt(quota, 'spec', 'hard'), used: usedOf(cluster.store, quota) };
    if (isChanged(status, quota)) cluster.updateStatus('resourcequotas', quota, status);
  }
  for (const autoscaler of cluster.store.all(AUTOSCALERS)) leadAutoscaler(cluster, autoscaler);
  for (const claim of cluster.store.all('persistentvolumeclaims')) leadClaim(cluster, claim);
};
