// StatefulSets and DaemonSets: named pods in order, and one pod per node; both keep their revisions.
import { suffixOf } from '../../shop.ts';
import { at, isEqual, type JsonObject, numberAt, objectAt, objectsAt, textAt, textsAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cluster, isEnded, isEnding, isReady, ownerReferenceTo } from './cluster.ts';
import { endPod, makePod } from './make-pod.ts';

export const STATEFUL_SETS = 'statefulsets.apps';
export const DAEMON_SETS = 'daemonsets.apps';
const REVISIONS = 'controllerrevisions.apps';
const REVISION_LABEL = 'controller-revision-hash';

const templateOf = (set: KubernetesObject): JsonObject => objectAt(set, 'spec', 'template');

/** The revision of the present template; a new one is written when none holds it. */
const currentRevision = (cluster: Cluster, set: KubernetesObject): KubernetesObject => {
  const revisions = cluster.ownedBy(REVISIONS, set);
  const template = { $patch: 'replace', ...templateOf(set) };
  const known = revisions
    .filter((revision) => isEqual(at(revision, 'data', 'spec', 'template'), template))
    .toSorted((left, right) => numberAt(right, 'revision') - numberAt(left, 'revision'))[0];
  const newest = Math.max(0, ...revisions.map((revision) => numberAt(revision, 'revision')));
  if (known !== undefined) {
    return numberAt(known, 'revision') === newest ? known : cluster.update(REVISIONS, { ...known, revision: newest + 1 }, known);
  }
  const hash = suffixOf(`${set.metadata.uid}/${JSON.stringify(template)}`, 10);
  const label = set.kind === 'DaemonSet' ? REVISION_LABEL : 'controller.kubernetes.io/hash';
  return cluster.create(REVISIONS, {
    kind: 'ControllerRevision',
    apiVersion: 'apps/v1',
    metadata: {
      name: `${set.metadata.name}-${hash}`,
      namespace: set.metadata.namespace ?? '',
      labels: { ...textsAt(templateOf(set), 'metadata', 'labels'), [label]: hash },
      ownerReferences: [ownerReferenceTo(set)],
    },
    data: { spec: { template } },
    revision: newest + 1,
  });
};

const isOf = (pod: KubernetesObject, revision: string): boolean => pod.metadata.labels?.[REVISION_LABEL] === revision;

const claimFor = (cluster: Cluster, set: KubernetesObject, name: string): JsonObject[] =>
  objectsAt(set, 'spec', 'volumeClaimTemplates').map((template) => {
    const claim = `${textAt(template, 'metadata', 'name')}-${name}`;
    const namespace = set.metadata.namespace ?? '';
    if (cluster.store.get('persistentvolumeclaims', namespace, claim) === undefined) {
      const spec = { storageClassName: 'standard', ...objectAt(template, 'spec') };
      cluster.create('persistentvolumeclaims', {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        metadata: {
          name: claim,
          namespace,
          labels: { ...textsAt(set, 'spec', 'selector', 'matchLabels') },
          finalizers: ['kubernetes.io/pvc-protection'],
        },
        spec,
      });
    }
    return { name: textAt(template, 'metadata', 'name'), persistentVolumeClaim: { claimName: claim } };
  });

const makeMember = (cluster: Cluster, set: KubernetesObject, ordinal: number, revision: string): void => {
  const name = `${set.metadata.name}-${ordinal}`;
  const volumes = [...claimFor(cluster, set, name), ...objectsAt(templateOf(set), 'spec', 'volumes')];
  makePod(cluster, {
    owner: set,
    template: templateOf(set),
    component: 'statefulset-controller',
    name,
    labels: { [REVISION_LABEL]: revision, 'apps.kubernetes.io/pod-index': String(ordinal), 'statefulset.kubernetes.io/pod-name': name },
    spec: { hostname: name, subdomain: textAt(set, 'spec', 'serviceName'), ...(volumes.length === 0 ? {} : { volumes }) },
  });
};

const ordinalOf = ({ metadata }: KubernetesObject): number => Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? -1);

/** One step at a time: fill gaps upwards, shrink from the top, replace outdated pods from the top. */
export const leadStatefulSet = (cluster: Cluster, set: KubernetesObject): void => {
  if (isEnding(set)) return;
  const revision = currentRevision(cluster, set).metadata.name;
  const wanted = numberAt(set, 'spec', 'replicas');
  const pods = cluster.ownedBy('pods', set).toSorted((left, right) => ordinalOf(left) - ordinalOf(right));
  stepStatefulSet(cluster, set, pods, wanted, revision);
  const live = cluster.store.get(STATEFUL_SETS, set.metadata.namespace ?? '', set.metadata.name);
  if (live !== undefined) cluster.updateStatus(STATEFUL_SETS, live, statefulStatus(live, cluster.ownedBy('pods', live), revision));
};

const stepStatefulSet = (
  cluster: Cluster,
  set: KubernetesObject,
  pods: readonly KubernetesObject[],
  wanted: number,
  revision: string,
): void => {
  for (let ordinal = 0; ordinal < wanted; ordinal += 1) {
    const pod = pods.find((candidate) => ordinalOf(candidate) === ordinal);
    if (pod === undefined) {
      makeMember(cluster, set, ordinal, revision);
      return;
    }
    if (!isReady(pod) || isEnding(pod)) return;
  }
  const surplus = pods.filter((pod) => ordinalOf(pod) >= wanted).at(-1);
  if (surplus !== undefined) {
    endPod(cluster, surplus, set, 'statefulset-controller');
    return;
  }
  const partition = numberAt(set, 'spec', 'updateStrategy', 'rollingUpdate', 'partition');
  if (textAt(set, 'spec', 'updateStrategy', 'type') === 'OnDelete') return;
  const outdated = pods.filter((pod) => !isOf(pod, revision) && ordinalOf(pod) >= partition).at(-1);
  if (outdated !== undefined) endPod(cluster, outdated, set, 'statefulset-controller');
};

const statefulStatus = (set: KubernetesObject, pods: readonly KubernetesObject[], revision: string): JsonObject => {
  const live = pods.filter((pod) => !isEnded(pod));
  const ready = live.filter((pod) => isReady(pod) && !isEnding(pod)).length;
  const updated = live.filter((pod) => isOf(pod, revision)).length;
  const before = textAt(set, 'status', 'currentRevision') || revision;
  const isDone = updated === live.length && live.length === numberAt(set, 'spec', 'replicas');
  const currentRevisionName = isDone ? revision : before;
  const current = live.filter((pod) => isOf(pod, currentRevisionName)).length;
  return {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: live.length,
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(current === 0 ? {} : { currentReplicas: current }),
    ...(updated === 0 ? {} : { updatedReplicas: updated }),
    currentRevision: currentRevisionName,
    updateRevision: revision,
    collisionCount: 0,
    availableReplicas: ready,
  };
};

const hashLabel = (revision: KubernetesObject): string => revision.metadata.labels?.[REVISION_LABEL] ?? '';

const isEligible = (node: KubernetesObject, set: KubernetesObject): boolean => {
  const wanted = textsAt(templateOf(set), 'spec', 'nodeSelector');
  return Object.entries(wanted).every(([key, value]) => node.metadata.labels?.[key] === value);
};

/** A pod on every node; an outdated one goes when all others are well. */
export const leadDaemonSet = (cluster: Cluster, set: KubernetesObject): void => {
  if (isEnding(set)) return;
  const revision = hashLabel(currentRevision(cluster, set));
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation'] ?? '1';
  const nodes = cluster.store.all('nodes').filter((node) => isEligible(node, set));
  const pods = cluster.ownedBy('pods', set).filter((pod) => !isEnded(pod));
  for (const node of nodes) {
    if (pods.some((pod) => textAt(pod, 'spec', 'nodeName') === node.metadata.name)) continue;
    makePod(cluster, {
      owner: set,
      template: templateOf(set),
      component: 'daemonset-controller',
      labels: { [REVISION_LABEL]: revision, 'pod-template-generation': generation },
      spec: { nodeName: node.metadata.name },
    });
  }
  const outdated = pods.find((pod) => !isOf(pod, revision) && !isEnding(pod));
  if (
    outdated !== undefined &&
    pods.every((pod) => isReady(pod) && !isEnding(pod)) &&
    textAt(set, 'spec', 'updateStrategy', 'type') !== 'OnDelete'
  ) {
    endPod(cluster, outdated, set, 'daemonset-controller');
  }
  const live = cluster.store.get(DAEMON_SETS, set.metadata.namespace ?? '', set.metadata.name);
  if (live !== undefined)
    cluster.updateStatus(DAEMON_SETS, live, daemonStatus(live, nodes.length, cluster.ownedBy('pods', live), revision));
};

const daemonStatus = (set: KubernetesObject, desired: number, pods: readonly KubernetesObject[], revision: string): JsonObject => {
  const live = pods.filter((pod) => !isEnded(pod));
  const ready = live.filter(isReady).length;
  const updated = live.filter((pod) => isOf(pod, revision)).length;
  return {
    currentNumberScheduled: live.length,
    numberMisscheduled: 0,
    desiredNumberScheduled: desired,
    numberReady: ready,
    observedGeneration: set.metadata.generation ?? 1,
    ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
    ...(ready === 0 ? {} : { numberAvailable: ready }),
    ...(desired - ready > 0 ? { numberUnavailable: desired - ready } : {}),
  };
};
