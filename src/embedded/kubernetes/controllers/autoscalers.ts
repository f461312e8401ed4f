// The horizontal autoscalers: they keep a Deployment within its bounds, and at the number that the story's load asks for.
import { isObject, type JsonObject, numberAt, objectAt, textAt, timeAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cluster, CONTROLLER } from './cluster.ts';

export const AUTOSCALERS = 'horizontalpodautoscalers.autoscaling';
/** How often the autoscaler looks. */
const LOOK_EVERY = 15_000;

interface Rescale {
  readonly size: number;
  readonly reason: string;
}

/** What the autoscaler makes of a number of replicas: first its bounds count, then the load. */
const rescaleOf = (autoscaler: KubernetesObject, current: number): Rescale | undefined => {
  const [least, most] = [numberAt(autoscaler, 'spec', 'minReplicas'), numberAt(autoscaler, 'spec', 'maxReplicas')];
  const wanted = Math.min(Math.max(numberAt(autoscaler, 'status', 'desiredReplicas'), least), most);
  if (current > most) return { size: most, reason: 'Current number of replicas above Spec.MaxReplicas' };
  if (current < least) return { size: least, reason: 'Current number of replicas below Spec.MinReplicas' };
  if (current < wanted) return { size: wanted, reason: 'cpu resource utilization (percentage of request) above target' };
  return current > wanted ? { size: wanted, reason: 'All metrics below target' } : undefined;
};

/** When each specification was first seen that asks for another number than its autoscaler: scaling leaves no time behind. */
const seen = new WeakMap<JsonObject, number>();

const firstSeen = (target: KubernetesObject, now: number): number => {
  const key = target['spec'];
  if (!isObject(key)) return now;
  const known = seen.get(key) ?? now;
  seen.set(key, known);
  return known;
};

/** Brings its target back to the number that the load asks for. */
export const leadAutoscaler = (cluster: Cluster, autoscaler: KubernetesObject): void => {
  const reference = objectAt(autoscaler, 'spec', 'scaleTargetRef');
  const target = cluster.store.get('deployments.apps', autoscaler.metadata.namespace ?? '', textAt(reference, 'name'));
  if (target === undefined || textAt(reference, 'kind') !== 'Deployment' || numberAt(autoscaler, 'status', 'desiredReplicas') === 0) return;
  const current = numberAt(target, 'spec', 'replicas');
  if (current === 0) return;
  const status = { ...objectAt(autoscaler, 'status'), currentReplicas: current };
  const rescale = rescaleOf(autoscaler, current);
  if (rescale === undefined) {
    cluster.updateStatus(AUTOSCALERS, autoscaler, status);
    return;
  }
  const looksAt = Math.max(firstSeen(target, cluster.now), timeAt(autoscaler, 'status', 'lastScaleTime') ?? 0) + LOOK_EVERY;
  if (cluster.now < looksAt) {
    cluster.wakeAt(looksAt);
    return;
  }
  const { size, reason } = rescale;
  const generation = (target.metadata.generation ?? 1) + 1;
  cluster.update(
    'deployments.apps',
    { ...target, metadata: { ...target.metadata, generation }, spec: { ...objectAt(target, 'spec'), replicas: size } },
    target,
    CONTROLLER,
    'scale',
  );
  cluster.note(autoscaler, {
    reason: 'SuccessfulRescale',
    message: `New size: ${size}; reason: ${reason}`,
    component: 'horizontal-pod-autoscaler',
  });
  cluster.updateStatus(AUTOSCALERS, autoscaler, { ...status, lastScaleTime: toTime(cluster.now) });
};
