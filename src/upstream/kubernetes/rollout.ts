// Rollouts as `kubectl rollout status` judges them (kubectl/pkg/polymorphichelpers/rollout_status.go of 1.37).
import { conditionOf, type KubeObject, kindOf, nameOf, numberAt, textAt, valueAt } from './objects.ts';

export interface RolloutStatus {
  /** `unsupported`: this kind, or its update strategy (OnDelete), has no rollout to wait for. */
  readonly state: 'complete' | 'progressing' | 'failed' | 'unsupported';
  /** kubectl's sentence. */
  readonly message: string;
}

export const rolloutStatus = (object: KubeObject): RolloutStatus => {
  const judge = JUDGES[kindOf(object)];
  return judge === undefined
    ? { state: 'unsupported', message: `no status viewer has been implemented for ${kindOf(object)}` }
    : judge(object);
};

const progressing = (message: string): RolloutStatus => ({ state: 'progressing', message });
const complete = (message: string): RolloutStatus => ({ state: 'complete', message });
const unsupported: RolloutStatus = { state: 'unsupported', message: 'rollout status is only available for RollingUpdate strategy type' };

const status = (object: KubeObject, key: string): number => numberAt(object, 'status', key) ?? 0;
const isObserved = (object: KubeObject): boolean =>
  (numberAt(object, 'metadata', 'generation') ?? 0) <= status(object, 'observedGeneration');

const judgeDeployment = (deployment: KubeObject): RolloutStatus => {
  const name = nameOf(deployment);
  if (!isObserved(deployment)) return progressing('Waiting for deployment spec update to be observed...');
  if (conditionOf(deployment, 'Progressing')?.reason === 'ProgressDeadlineExceeded') {
    return { state: 'failed', message: `deployment "${name}" exceeded its progress deadline` };
  }
  const wanted = numberAt(deployment, 'spec', 'replicas');
  const [updated, replicas, available] = [
    status(deployment, 'updatedReplicas'),
    status(deployment, 'replicas'),
    status(deployment, 'availableReplicas'),
  ];
  const waiting = (what: string) => progressing(`Waiting for deployment "${name}" rollout to finish: ${what}...`);
  if (wanted !== undefined && updated < wanted) return waiting(`${updated} out of ${wanted} new replicas have been updated`);
  if (replicas > updated) return waiting(`${replicas - updated} old replicas are pending termination`);
  if (available < updated) return waiting(`${available} of ${updated} updated replicas are available`);
  return complete(`deployment "${name}" successfully rolled out`);
};

const judgeDaemonSet = (daemonSet: KubeObject): RolloutStatus => {
  const name = nameOf(daemonSet);
  if (textAt(daemonSet, 'spec', 'updateStrategy', 'type') !== 'RollingUpdate') return unsupported;
  if (!isObserved(daemonSet)) return progressing('Waiting for daemon set spec update to be observed...');
  const [updated, wanted, available] = [
    status(daemonSet, 'updatedNumberScheduled'),
    status(daemonSet, 'desiredNumberScheduled'),
    status(daemonSet, 'numberAvailable'),
  ];
  const waiting = (what: string) => progressing(`Waiting for daemon set "${name}" rollout to finish: ${what}...`);
  if (updated < wanted) return waiting(`${updated} out of ${wanted} new pods have been updated`);
  if (available < wanted) return waiting(`${available} of ${wanted} updated pods are available`);
  return complete(`daemon set "${name}" successfully rolled out`);
};

const judgeStatefulSet = (statefulSet: KubeObject): RolloutStatus => {
  if (textAt(statefulSet, 'spec', 'updateStrategy', 'type') !== 'RollingUpdate') return unsupported;
  if (status(statefulSet, 'observedGeneration') === 0 || !isObserved(statefulSet))
    return progressing('Waiting for statefulset spec update to be observed...');
  const wanted = numberAt(statefulSet, 'spec', 'replicas');
  const updated = status(statefulSet, 'updatedReplicas');
  const ready = status(statefulSet, 'readyReplicas');
  if (wanted !== undefined && ready < wanted) return progressing(`Waiting for ${wanted - ready} pods to be ready...`);
  if (valueAt(statefulSet, 'spec', 'updateStrategy', 'rollingUpdate') != null) {
    const partition = numberAt(statefulSet, 'spec', 'updateStrategy', 'rollingUpdate', 'partition');
    if (wanted !== undefined && partition !== undefined && updated < wanted - partition) {
      return progressing(
        `Waiting for partitioned roll out to finish: ${updated} out of ${wanted - partition} new pods have been updated...`,
      );
    }
    return complete(`partitioned roll out complete: ${updated} new pods have been updated...`);
  }
  const [current, next] = [textAt(statefulSet, 'status', 'currentRevision') ?? '', textAt(statefulSet, 'status', 'updateRevision') ?? ''];
  if (next !== current) return progressing(`waiting for statefulset rolling update to complete ${updated} pods at revision ${next}...`);
  return complete(`statefulset rolling update complete ${status(statefulSet, 'currentReplicas')} pods at revision ${current}...`);
};

const JUDGES: Readonly<Record<string, (object: KubeObject) => RolloutStatus>> = {
  Deployment: judgeDeployment,
  DaemonSet: judgeDaemonSet,
  StatefulSet: judgeStatefulSet,
};
