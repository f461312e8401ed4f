// What goes with what is gone: dependants of deleted owners, contents of ending namespaces, expired events.
import { at, listAt, textAt, timeAt } from '../json.ts';
import type { KubernetesObject, OwnerReference } from '../object.ts';
import type { ResourceRegistry } from '../resources.ts';
import { EVENT_LIFETIME } from '../shop/events.ts';
import type { Change } from '../store.ts';
import { type Cluster, isEnded, isEnding } from './cluster.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/** Kinds whose objects may belong to others. */
const DEPENDANTS = [
  'pods',
  'replicasets.apps',
  'controllerrevisions.apps',
  'jobs.batch',
  'endpointslices.discovery.k8s.io',
  'configmaps',
  'secrets',
  'services',
  'persistentvolumeclaims',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
];

const refers = (object: KubernetesObject, uid: string): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.uid === uid);

const dependantsOf = (cluster: Cluster, owner: KubernetesObject): { readonly resource: string; readonly object: KubernetesObject }[] => {
  const namespace = owner.metadata.namespace ?? '';
  const uid = owner.metadata.uid ?? '';
  return DEPENDANTS.flatMap((resource) =>
    cluster.store
      .all(resource, namespace)
      .filter((object) => refers(object, uid) !== undefined)
      .map((object) => ({ resource, object })),
  );
};

/** Deletes as a client would: pods get their time to end. */
const discard = (cluster: Cluster, resource: string, object: KubernetesObject): void => {
  if (isEnding(object)) return;
  const own = at(object, 'spec', 'terminationGracePeriodSeconds');
  const isPlaced = resource === 'pods' && textAt(object, 'spec', 'nodeName') !== '' && !isEnded(object);
  const period = isPlaced ? (typeof own === 'number' ? own : 30) : 0;
  if (period === 0 && (object.metadata.finalizers ?? []).length === 0) {
    cluster.remove(resource, object);
    return;
  }
  const deletionTimestamp = `${new Date(cluster.now + period * 1000).toISOString().slice(0, 19)}Z`;
  cluster.store.put(resource, { ...object, metadata: { ...object.metadata, deletionTimestamp, deletionGracePeriodSeconds: period } });
};

const release = (cluster: Cluster, resource: string, object: KubernetesObject, finalizer: string): void => {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  if (finalizers.length === 0) {
    cluster.remove(resource, object);
    return;
  }
  cluster.store.put(resource, { ...object, metadata: { ...object.metadata, finalizers } });
};

/** Takes an owner off an object that stays. */
const disown = (cluster: Cluster, resource: string, object: KubernetesObject, owner: KubernetesObject): void => {
  const references = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
  const { ownerReferences: _owners, ...metadata } = object.metadata;
  cluster.store.put(resource, {
    ...object,
    metadata: { ...metadata, name: object.metadata.name, ...(references.length === 0 ? {} : { ownerReferences: references }) },
  });
};

const orphan = (cluster: Cluster, owner: KubernetesObject): void => {
  for (const { resource, object } of dependantsOf(cluster, owner)) disown(cluster, resource, object, owner);
};

/** Owners that wait: for their dependants to be let go, or to be gone. */
const leadFinalizers = (cluster: Cluster, registry: ResourceRegistry): void => {
  for (const storage of new Set(registry.all().map((resource) => resource.storage))) {
    for (const owner of cluster.store.all(storage)) {
      const finalizers = owner.metadata.finalizers ?? [];
      if (!isEnding(owner) || finalizers.length === 0) continue;
      if (finalizers.includes(ORPHAN)) {
        orphan(cluster, owner);
        release(cluster, storage, owner, ORPHAN);
      } else if (finalizers.includes(FOREGROUND)) {
        const blocking = dependantsOf(cluster, owner).filter(
          ({ object }) => refers(object, owner.metadata.uid ?? '')?.blockOwnerDeletion === true,
        );
        for (const { resource, object } of dependantsOf(cluster, owner)) discard(cluster, resource, object);
        if (blocking.length === 0) release(cluster, storage, owner, FOREGROUND);
      } else if (finalizers.includes('kubernetes.io/pvc-protection')) releaseClaim(cluster, owner);
      else if (finalizers.includes('kubernetes.io/pv-protection')) release(cluster, storage, owner, 'kubernetes.io/pv-protection');
    }
  }
};

/** A claim goes when no pod uses it any more. */
const releaseClaim = (cluster: Cluster, claim: KubernetesObject): void => {
  const isUsed = cluster.store
    .all('pods', claim.metadata.namespace ?? '')
    .some((pod) =>
      listAt(pod, 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === claim.metadata.name),
    );
  if (isUsed) return;
  release(cluster, 'persistentvolumeclaims', claim, 'kubernetes.io/pvc-protection');
  const volume = cluster.store.get('persistentvolumes', '', textAt(claim, 'spec', 'volumeName'));
  if (volume !== undefined && textAt(volume, 'spec', 'persistentVolumeReclaimPolicy') === 'Delete')
    discard(cluster, 'persistentvolumes', volume);
};

const leadNamespaces = (cluster: Cluster, registry: ResourceRegistry): void => {
  for (const namespace of cluster.store.all('namespaces')) {
    const { name } = namespace.metadata;
    if (!isEnding(namespace)) {
      furnish(cluster, name);
      continue;
    }
    const storages = new Set(
      registry
        .all()
        .filter(({ namespaced, group }) => namespaced && group !== 'metrics.k8s.io')
        .map(({ storage }) => storage),
    );
    let left = 0;
    for (const storage of storages) {
      for (const object of cluster.store.all(storage, name)) {
        discard(cluster, storage, object);
        left += 1;
      }
    }
    if (left === 0) cluster.remove('namespaces', namespace);
  }
};

/** Every namespace has an account and the cluster's root certificate. */
const furnish = (cluster: Cluster, namespace: string): void => {
  if (cluster.store.get('serviceaccounts', namespace, 'default') === undefined) {
    cluster.create('serviceaccounts', { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'default', namespace } });
  }
  const root = cluster.store.get('configmaps', 'kube-system', 'kube-root-ca.crt');
  if (root === undefined || cluster.store.get('configmaps', namespace, 'kube-root-ca.crt') !== undefined) return;
  const { annotations } = root.metadata;
  cluster.create('configmaps', {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'kube-root-ca.crt', namespace, ...(annotations === undefined ? {} : { annotations }) },
    data: root['data'] ?? {},
  });
};

/** Events are kept for a while after their last change. */
export const expireEvents = (cluster: Cluster): void => {
  for (const event of cluster.store.all('events')) {
    const times = [
      timeAt(event, 'metadata', 'creationTimestamp'),
      timeAt(event, 'lastTimestamp'),
      timeAt(event, 'series', 'lastObservedTime'),
      timeAt(event, 'eventTime'),
    ];
    const last = Math.max(...times.map((time) => time ?? 0));
    if (at(event, 'metadata', 'creationTimestamp') === undefined) continue;
    if (last + EVENT_LIFETIME <= cluster.now) cluster.remove('events', event);
    else cluster.wakeAt(last + EVENT_LIFETIME);
  }
};

/** Another owner of the object is still there. */
const isOwnedElsewhere = (registry: ResourceRegistry, cluster: Cluster, object: KubernetesObject, gone: KubernetesObject): boolean =>
  (object.metadata.ownerReferences ?? []).some(({ apiVersion, kind, name, uid }) => {
    if (uid === gone.metadata.uid) return false;
    const resource = registry.findKind(apiVersion, kind);
    const owner = resource && cluster.store.get(resource.storage, resource.namespaced ? (object.metadata.namespace ?? '') : '', name);
    return owner?.metadata.uid === uid;
  });

/** Owners that were deleted since the last look. */
export const collect = (cluster: Cluster, registry: ResourceRegistry, deleted: readonly Change[]): void => {
  for (const { object } of deleted) {
    for (const dependant of dependantsOf(cluster, object)) {
      if (isOwnedElsewhere(registry, cluster, dependant.object, object)) disown(cluster, dependant.resource, dependant.object, object);
      else discard(cluster, dependant.resource, dependant.object);
    }
  }
  leadFinalizers(cluster, registry);
  leadNamespaces(cluster, registry);
};
