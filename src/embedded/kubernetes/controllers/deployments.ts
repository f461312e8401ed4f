// Deployments: one ReplicaSet per template, and the rolling way from the old ones to the new one.
import { MINUTE, SECOND, suffixOf } from '../../shop.ts';
import { withCondition } from '../conditions.ts';
import { at, isEqual, type Json, type JsonObject, numberAt, objectAt, objectsAt, textAt, textsAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cluster, isEnding, isReady, ownerReferenceTo, resolveCount } from './cluster.ts';
import { activePods, REPLICA_SETS } from './replica-sets.ts';

export const DEPLOYMENTS = 'deployments.apps';
const COMPONENT = 'deployment-controller';
const HASH = 'pod-template-hash';
const REVISION = 'deployment.kubernetes.io/revision';

const replicasOf = (set: KubernetesObject): number => numberAt(set, 'spec', 'replicas');
const readyIn = (cluster: Cluster, set: KubernetesObject): number => activePods(cluster, set).filter(isReady).length;
const revisionOf = (object: KubernetesObject): number => Number(object.metadata.annotations?.[REVISION] ?? 0);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** A template without the hash that the controller adds. */
const bareTemplate = (template: Json | undefined): JsonObject => {
  const labels = Object.fromEntries(Object.entries(textsAt(template, 'metadata', 'labels')).filter(([key]) => key !== HASH));
  return { ...objectAt(template), metadata: { ...objectAt(template, 'metadata'), labels } };
};

const isCurrent = (deployment: KubernetesObject, set: KubernetesObject): boolean =>
  isEqual(bareTemplate(at(deployment, 'spec', 'template')), bareTemplate(at(set, 'spec', 'template')));

const desiredNotes = (deployment: KubernetesObject): Record<string, string> => {
  const wanted = replicasOf(deployment);
  const surge = resolveCount(at(deployment, 'spec', 'strategy', 'rollingUpdate', 'maxSurge'), wanted, true);
  return { 'deployment.kubernetes.io/desired-replicas': String(wanted), 'deployment.kubernetes.io/max-replicas': String(wanted + surge) };
};

/** Annotations of the Deployment that its sets take over, change causes among them. */
const inherited = (deployment: KubernetesObject): Record<string, string> =>
  Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(
      ([key]) =>
        key !== REVISION &&
        key !== 'kubectl.kubernetes.io/last-applied-configuration' &&
        !key.startsWith('meta.helm.sh/') &&
        key !== 'deprecated.deployment.rollback.to',
    ),
  );

const createSet = (cluster: Cluster, deployment: KubernetesObject, revision: number): KubernetesObject => {
  const template = objectAt(deployment, 'spec', 'template');
  const hash = suffixOf(`${deployment.metadata.uid}/${JSON.stringify(template)}`, 10);
  const labels = { ...textsAt(template, 'metadata', 'labels'), [HASH]: hash };
  const name = `${deployment.metadata.name}-${hash}`;
  const set = cluster.create(REPLICA_SETS, {
    kind: 'ReplicaSet',
    apiVersion: 'apps/v1',
    metadata: {
      name,
      namespace: deployment.metadata.namespace ?? '',
      generation: 1,
      labels,
      annotations: { ...inherited(deployment), ...desiredNotes(deployment), [REVISION]: String(revision) },
      ownerReferences: [ownerReferenceTo(deployment)],
    },
    spec: {
      replicas: 0,
      selector: { matchLabels: { ...textsAt(deployment, 'spec', 'selector', 'matchLabels'), [HASH]: hash } },
      template: { ...structuredClone(template), metadata: { ...objectAt(template, 'metadata'), labels } },
    },
    status: { replicas: 0 },
  });
  return set;
};

const scale = (cluster: Cluster, deployment: KubernetesObject, set: KubernetesObject, replicas: number): void => {
  const before = replicasOf(set);
  if (before === replicas) return;
  const generation = (set.metadata.generation ?? 1) + 1;
  const annotations = { ...set.metadata.annotations, ...desiredNotes(deployment) };
  cluster.update(
    REPLICA_SETS,
    { ...set, metadata: { ...set.metadata, generation, annotations }, spec: { ...objectAt(set, 'spec'), replicas } },
    set,
  );
  const direction = replicas > before ? 'up' : 'down';
  cluster.note(deployment, {
    reason: 'ScalingReplicaSet',
    message: `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${replicas}`,
    component: COMPONENT,
  });
};

/** The set of the present template: an old one that had the same, or a new one; it carries the newest revision. */
const currentSet = (cluster: Cluster, deployment: KubernetesObject, sets: readonly KubernetesObject[]): KubernetesObject | undefined => {
  const newest = Math.max(0, ...sets.map(revisionOf));
  const known = sets.filter((set) => isCurrent(deployment, set)).toSorted((left, right) => revisionOf(right) - revisionOf(left))[0];
  if (known === undefined) return at(deployment, 'spec', 'paused') === true ? undefined : createSet(cluster, deployment, newest + 1);
  if (revisionOf(known) === newest) return known;
  const history = [known.metadata.annotations?.['deployment.kubernetes.io/revision-history'], String(revisionOf(known))]
    .filter((text) => text !== undefined && text !== '')
    .join(',');
  const annotations = {
    ...known.metadata.annotations,
    ...inherited(deployment),
    [REVISION]: String(newest + 1),
    'deployment.kubernetes.io/revision-history': history,
  };
  return cluster.update(REPLICA_SETS, { ...known, metadata: { ...known.metadata, annotations } }, known);
};

const rollOver = (cluster: Cluster, deployment: KubernetesObject, current: KubernetesObject, old: readonly KubernetesObject[]): void => {
  const wanted = replicasOf(deployment);
  const strategy = objectAt(deployment, 'spec', 'strategy');
  if (strategy['type'] === 'Recreate') {
    for (const set of old) scale(cluster, deployment, set, 0);
    const left = sum(old.map((set) => cluster.ownedBy('pods', set).length));
    if (left === 0) scale(cluster, deployment, current, wanted);
    return;
  }
  const surge = resolveCount(at(strategy, 'rollingUpdate', 'maxSurge'), wanted, true);
  const rounded = resolveCount(at(strategy, 'rollingUpdate', 'maxUnavailable'), wanted, false);
  const unavailable = surge === 0 && rounded === 0 ? 1 : rounded;
  const total = replicasOf(current) + sum(old.map(replicasOf));
  const target = Math.min(wanted, replicasOf(current) + Math.max(0, wanted + surge - total));
  if (replicasOf(current) > wanted) scale(cluster, deployment, current, wanted);
  else if (target > replicasOf(current)) scale(cluster, deployment, current, target);
  shrinkOld(cluster, deployment, current, old, wanted - unavailable);
};

/** Old sets give up pods that are not available first, then as many as leave enough. */
const shrinkOld = (
  cluster: Cluster,
  deployment: KubernetesObject,
  current: KubernetesObject,
  old: readonly KubernetesObject[],
  minimum: number,
): void => {
  const now = cluster.store.get(REPLICA_SETS, current.metadata.namespace ?? '', current.metadata.name) ?? current;
  const unreadyNew = replicasOf(now) - readyIn(cluster, now);
  let spare = replicasOf(now) + sum(old.map(replicasOf)) - minimum - unreadyNew;
  for (const set of old) {
    const unready = replicasOf(set) - readyIn(cluster, set);
    const given = Math.min(unready, Math.max(0, spare));
    if (given > 0) scale(cluster, deployment, set, replicasOf(set) - given);
    spare -= given;
  }
  let free = readyIn(cluster, now) + sum(old.map((set) => readyIn(cluster, set))) - minimum;
  for (const listed of old) {
    const set = cluster.store.get(REPLICA_SETS, listed.metadata.namespace ?? '', listed.metadata.name) ?? listed;
    const given = Math.min(replicasOf(set), Math.max(0, free));
    if (given > 0) scale(cluster, deployment, set, replicasOf(set) - given);
    free -= given;
  }
};

/** Without a change of template only the number changes: in the current set, or in the one that runs when the rollout is paused. */
const follow = (cluster: Cluster, deployment: KubernetesObject, sets: readonly KubernetesObject[]): void => {
  const running = sets.filter((set) => replicasOf(set) > 0);
  const [only] = running;
  if (running.length === 1 && only !== undefined) scale(cluster, deployment, only, replicasOf(deployment));
};

const conditionsOf = (
  cluster: Cluster,
  deployment: KubernetesObject,
  current: KubernetesObject | undefined,
  counts: { readonly available: number; readonly updated: number; readonly total: number },
): JsonObject[] => {
  const wanted = replicasOf(deployment);
  const strategy = objectAt(deployment, 'spec', 'strategy');
  const unavailable =
    strategy['type'] === 'RollingUpdate' ? resolveCount(at(strategy, 'rollingUpdate', 'maxUnavailable'), wanted, false) : 0;
  const isAvailable = counts.available >= wanted - unavailable;
  const available: JsonObject = isAvailable
    ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  const conditions = withCondition(objectsAt(deployment, 'status', 'conditions'), available, cluster.now, true);
  const progress = progressOf(cluster, deployment, current, counts, conditions);
  return progress === undefined ? conditions : withCondition(conditions, progress, cluster.now, true);
};

const progressOf = (
  cluster: Cluster,
  deployment: KubernetesObject,
  current: KubernetesObject | undefined,
  { available, updated, total }: { readonly available: number; readonly updated: number; readonly total: number },
  conditions: readonly JsonObject[],
): JsonObject | undefined => {
  const name = current?.metadata.name ?? '';
  const wanted = replicasOf(deployment);
  const known = conditions.find((condition) => condition['type'] === 'Progressing');
  const message = (verb: string): string => `ReplicaSet "${name}" ${verb}`;
  if (at(deployment, 'spec', 'paused') === true)
    return { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  if (updated === wanted && total === wanted && available >= wanted) {
    return { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: message('has successfully progressed.') };
  }
  const isSameRollout = textAt(known, 'message').includes(`"${name}"`);
  if (isSameRollout && known?.['reason'] === 'NewReplicaSetAvailable') return undefined;
  const since = isSameRollout ? timeAt(known, 'lastUpdateTime') : undefined;
  const deadline = numberAt(deployment, 'spec', 'progressDeadlineSeconds') * SECOND || 10 * MINUTE;
  if (since !== undefined && cluster.now >= since + deadline) {
    return { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: message('has timed out progressing.') };
  }
  if (since !== undefined && known?.['reason'] === 'ProgressDeadlineExceeded') return undefined;
  cluster.wakeAt((since ?? cluster.now) + deadline);
  return { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: message('is progressing.') };
};

const updateStatus = (cluster: Cluster, deployment: KubernetesObject, current: KubernetesObject | undefined): void => {
  const sets = cluster.ownedBy(REPLICA_SETS, deployment);
  const pods = sets.flatMap((set) => activePods(cluster, set));
  const available = pods.filter(isReady).length;
  const updated = current === undefined ? 0 : activePods(cluster, current).length;
  const wanted = replicasOf(deployment);
  const unavailable = Math.max(0, pods.length - available, wanted > pods.length ? wanted - available : 0);
  cluster.updateStatus(DEPLOYMENTS, deployment, {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...(pods.length === 0 ? {} : { replicas: pods.length }),
    ...(updated === 0 ? {} : { updatedReplicas: updated }),
    ...(available === 0 ? {} : { readyReplicas: available, availableReplicas: available }),
    ...(unavailable === 0 ? {} : { unavailableReplicas: unavailable }),
    conditions: conditionsOf(cluster, deployment, current, { available, updated, total: pods.length }),
  });
};

export const leadDeployment = (cluster: Cluster, deployment: KubernetesObject): void => {
  if (isEnding(deployment)) return;
  const sets = cluster.ownedBy(REPLICA_SETS, deployment);
  const current = currentSet(cluster, deployment, sets);
  if (at(deployment, 'spec', 'paused') === true || current === undefined) follow(cluster, deployment, sets);
  else {
    const old = cluster.ownedBy(REPLICA_SETS, deployment).filter((set) => set.metadata.uid !== current.metadata.uid);
    rollOver(cluster, deployment, current, old);
  }
  const live = cluster.store.get(DEPLOYMENTS, deployment.metadata.namespace ?? '', deployment.metadata.name);
  if (live === undefined) return;
  const revision =
    current === undefined
      ? undefined
      : cluster.store.get(REPLICA_SETS, live.metadata.namespace ?? '', current.metadata.name)?.metadata.annotations?.[REVISION];
  const noted =
    revision === undefined || live.metadata.annotations?.[REVISION] === revision
      ? live
      : { ...live, metadata: { ...live.metadata, annotations: { ...live.metadata.annotations, [REVISION]: revision } } };
  updateStatus(cluster, cluster.update(DEPLOYMENTS, noted, live), current);
};
