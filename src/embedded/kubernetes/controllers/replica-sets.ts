// ReplicaSets: as many pods as wanted.
import { at, type JsonObject, numberAt, objectAt, objectsAt, timeAt, toTime } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cluster, isEnded, isEnding, isReady } from './cluster.ts';
import { endPod, makePod } from './make-pod.ts';

export const REPLICA_SETS = 'replicasets.apps';
const COMPONENT = 'replicaset-controller';

/** Pods of a set that count: neither ended nor ending. */
export const activePods = (cluster: Cluster, set: KubernetesObject): KubernetesObject[] =>
  cluster.ownedBy('pods', set).filter((pod) => !isEnded(pod) && !isEnding(pod));

/** Who goes first: those without a node, those not ready, then the newest. */
const byDispensability = (left: KubernetesObject, right: KubernetesObject): number => {
  const rank = (pod: KubernetesObject): number => (at(pod, 'spec', 'nodeName') === undefined ? 0 : isReady(pod) ? 2 : 1);
  if (rank(left) !== rank(right)) return rank(left) - rank(right);
  return (timeAt(right, 'metadata', 'creationTimestamp') ?? 0) - (timeAt(left, 'metadata', 'creationTimestamp') ?? 0);
};

/** The condition that tells of a pod that could not be made; its words stay until it can. */
const conditionsOf = (cluster: Cluster, set: KubernetesObject, fault: string | undefined): JsonObject[] => {
  const conditions = [...objectsAt(set, 'status', 'conditions')];
  const others = conditions.filter((condition) => condition['type'] !== 'ReplicaFailure');
  if (fault === undefined) return others;
  if (others.length < conditions.length) return conditions;
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: fault };
  return [...conditions, { ...failure, lastTransitionTime: toTime(cluster.now) }];
};

const statusOf = (cluster: Cluster, set: KubernetesObject, pods: readonly KubernetesObject[], fault: string | undefined): JsonObject => {
  const selector = toLabelSelector(
    at(set, 'spec', 'template', 'metadata', 'labels') === undefined
      ? undefined
      : { matchLabels: at(set, 'spec', 'template', 'metadata', 'labels') },
  );
  const labelled = pods.filter((pod) => selector.matches(pod.metadata.labels ?? {})).length;
  const ready = pods.filter(isReady).length;
  const conditions = conditionsOf(cluster, set, fault);
  return {
    replicas: pods.length,
    ...(labelled === 0 ? {} : { fullyLabeledReplicas: labelled }),
    ...(ready === 0 ? {} : { readyReplicas: ready, availableReplicas: ready }),
    observedGeneration: set.metadata.generation ?? 1,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
};

export const leadReplicaSet = (cluster: Cluster, set: KubernetesObject): void => {
  if (isEnding(set)) return;
  const wanted = numberAt(set, 'spec', 'replicas');
  const pods = activePods(cluster, set);
  let fault: string | undefined;
  for (let missing = wanted - pods.length; missing > 0 && fault === undefined; missing -= 1)
    fault = makePod(cluster, { owner: set, template: objectAt(set, 'spec', 'template'), component: COMPONENT });
  for (const pod of pods.toSorted(byDispensability).slice(0, Math.max(0, pods.length - wanted))) endPod(cluster, pod, set, COMPONENT);
  const current = cluster.store.get(REPLICA_SETS, set.metadata.namespace ?? '', set.metadata.name);
  if (current !== undefined) cluster.updateStatus(REPLICA_SETS, current, statusOf(cluster, current, activePods(cluster, current), fault));
};
