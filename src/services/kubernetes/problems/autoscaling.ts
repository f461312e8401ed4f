// Autoscalers that cannot scale, have nothing to scale, or want more than they may have.

import { type Condition, conditionOf, type KubeObject, namespaceOf, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, type Problem, type Ref, toRef } from './problem.ts';
import type { Plural, Snapshot } from './snapshot.ts';

const TARGETS: Readonly<Record<string, Plural>> = { Deployment: 'deployments', StatefulSet: 'statefulsets', ReplicaSet: 'replicasets' };

const targetOf = (autoscaler: KubeObject): Ref => ({
  kind: (textAt(autoscaler, 'spec', 'scaleTargetRef', 'kind') ?? '').toLowerCase(),
  name: textAt(autoscaler, 'spec', 'scaleTargetRef', 'name') ?? '',
  namespace: namespaceOf(autoscaler),
});

const isTargetMissing = (cluster: Snapshot, autoscaler: KubeObject): boolean => {
  const plural = TARGETS[textAt(autoscaler, 'spec', 'scaleTargetRef', 'kind') ?? ''];
  const { name, namespace } = targetOf(autoscaler);
  return plural !== undefined && cluster.isRead(plural) && cluster.find(plural, name, namespace) === undefined;
};

/** The resource metrics API itself does not answer: the same fault for every autoscaler. */
const METRICS_API = /unable to fetch metrics from resource metrics API/;
/** Its pods give no numbers: they are not ready, or ask for nothing. That is the workload's fault. */
const OF_PODS = /missing request|did not receive metrics|no metrics returned|missing metrics|no pods/i;

const toScalingProblem = (autoscaler: KubeObject, bad: Condition): Problem => {
  const ref = toRef(autoscaler);
  const target = targetOf(autoscaler);
  const message = bad.message ?? '';
  const common = {
    severity: 'warning' as const,
    reason: bad.reason ?? bad.type,
    since: bad.changedAt,
    at: placeIn(autoscaler, `status.conditions[?type=${bad.type}].reason`),
    next: lookAt(ref, 'describe'),
  };
  if (METRICS_API.test(message)) {
    const detail = `autoscalers have no numbers: ${message.slice(message.search(METRICS_API))}`;
    return { ...common, ref: { kind: 'apiservice', name: 'v1beta1.metrics.k8s.io' }, detail, involves: [ref, target], isSymptom: true };
  }
  const detail = `cannot scale ${target.kind}/${target.name}: ${message}`;
  return { ...common, ref, detail, involves: [target], ...(OF_PODS.test(message) ? { because: [target] } : {}) };
};

const judge = (cluster: Snapshot, autoscaler: KubeObject): readonly Problem[] => {
  const ref = toRef(autoscaler);
  const target = targetOf(autoscaler);
  const common = { ref, involves: [target], next: lookAt(ref, 'describe') };
  if (isTargetMissing(cluster, autoscaler))
    return [
      {
        ...common,
        severity: 'warning',
        reason: 'TargetMissing',
        detail: `${target.kind}/${target.name} does not exist`,
        at: placeIn(autoscaler, 'spec.scaleTargetRef.name'),
      },
    ];
  const able = conditionOf(autoscaler, 'AbleToScale');
  const active = conditionOf(autoscaler, 'ScalingActive');
  const bad = [able, active].find((condition) => condition?.status === 'False' && condition.reason !== 'ScalingDisabled');
  if (bad !== undefined) return [toScalingProblem(autoscaler, bad)];
  const limited = conditionOf(autoscaler, 'ScalingLimited');
  const most = numberAt(autoscaler, 'spec', 'maxReplicas') ?? 0;
  const current = numberAt(autoscaler, 'status', 'currentReplicas') ?? 0;
  return limited?.status === 'True' && limited.reason === 'TooManyReplicas' && current >= most
    ? [
        {
          ...common,
          severity: 'info',
          reason: 'AtMaximum',
          since: limited.changedAt,
          detail: `${target.kind}/${target.name} is at its maximum of ${most} replicas and wants more`,
          at: placeIn(autoscaler, 'spec.maxReplicas'),
        },
      ]
    : [];
};

export const checkAutoscalers: Check = (cluster) =>
  cluster.list('horizontalpodautoscalers').flatMap((autoscaler) => judge(cluster, autoscaler));
