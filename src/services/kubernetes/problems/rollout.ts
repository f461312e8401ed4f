// Rollouts that do not end and workloads with fewer ready pods than they want. Both say that, not why: symptoms of what ails the pods.

import { conditionOf, isTrue, type KubeObject, metadataOf, numberAt } from '../../../upstream/kubernetes/objects.ts';
import { rolloutStatus } from '../../../upstream/kubernetes/rollout.ts';
import { placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, type Problem, toRef } from './problem.ts';

/** Fewer ready pods than wanted is normal for as long as pods take to start. */
const GRACE_MS = 120_000;

const status = (object: KubeObject, key: string): number => numberAt(object, 'status', key) ?? 0;

const symptom = (
  object: KubeObject,
  { field, ...problem }: Pick<Problem, 'severity' | 'reason' | 'since' | 'detail'> & { readonly field: string },
): Problem => {
  const ref = toRef(object);
  return {
    ...problem,
    ref,
    at: placeIn(object, field),
    isSymptom: true,
    isOutcome: true,
    next: lookAt(ref, ref.kind === 'deployment' ? 'rollout' : 'describe'),
  };
};

const judgeDeployment = (deployment: KubeObject, now: number): readonly Problem[] => {
  const wanted = numberAt(deployment, 'spec', 'replicas') ?? 1;
  const available = status(deployment, 'availableReplicas');
  const progressing = conditionOf(deployment, 'Progressing');
  const minimum = conditionOf(deployment, 'Available');
  const isStuck = rolloutStatus(deployment).state === 'failed';
  const isBelow = minimum?.status === 'False' && now - (minimum.changedAt ?? 0) > GRACE_MS;
  return [
    ...(isStuck
      ? [
          symptom(deployment, {
            severity: available === 0 && wanted > 0 ? 'critical' : 'warning',
            reason: 'ProgressDeadlineExceeded',
            field: 'status.conditions[?type=Progressing].reason',
            since: progressing?.changedAt,
            detail: `rollout stuck: ${progressing?.message ?? 'progress deadline exceeded'} ${status(deployment, 'updatedReplicas')} of ${wanted} updated, ${available} available`,
          }),
        ]
      : []),
    ...(isBelow && wanted > 0
      ? [
          symptom(deployment, {
            severity: 'critical',
            reason: minimum.reason ?? 'MinimumReplicasUnavailable',
            field: 'status.conditions[?type=Available].status',
            since: minimum.changedAt,
            detail: `${available} of ${wanted} replicas available, below the minimum`,
          }),
        ]
      : []),
  ];
};

const judgeStatefulSet = (set: KubeObject, now: number): readonly Problem[] => {
  const wanted = numberAt(set, 'spec', 'replicas') ?? 1;
  const ready = status(set, 'readyReplicas');
  if (ready >= wanted || now - (metadataOf(set).createdAt ?? now) < GRACE_MS) return [];
  return [
    symptom(set, {
      severity: ready === 0 ? 'critical' : 'warning',
      reason: 'ReplicasNotReady',
      field: 'status.readyReplicas',
      since: undefined,
      detail: `${ready} of ${wanted} replicas ready`,
    }),
  ];
};

const judgeDaemonSet = (set: KubeObject, now: number): readonly Problem[] => {
  const wanted = status(set, 'desiredNumberScheduled');
  const missing = status(set, 'numberUnavailable');
  if (missing === 0 || now - (metadataOf(set).createdAt ?? now) < GRACE_MS) return [];
  return [
    symptom(set, {
      severity: missing === wanted ? 'critical' : 'warning',
      reason: 'PodsUnavailable',
      field: 'status.numberUnavailable',
      since: undefined,
      detail: `${wanted - missing} of ${wanted} pods available`,
    }),
  ];
};

/** Its selector or its tolerations have changed: pods that it would not make there any more. */
const judgeMisplaced = (set: KubeObject): readonly Problem[] => {
  const misplaced = status(set, 'numberMisscheduled');
  if (misplaced === 0) return [];
  const ref = toRef(set);
  return [
    {
      severity: 'info',
      ref,
      reason: 'Misscheduled',
      detail: `${misplaced} of its pods run on nodes where none should`,
      at: placeIn(set, 'status.numberMisscheduled'),
      next: lookAt(ref, 'describe'),
    },
  ];
};

const judgePaused = (deployment: KubeObject): readonly Problem[] => {
  const isPaused = conditionOf(deployment, 'Progressing')?.reason === 'DeploymentPaused';
  const updated = status(deployment, 'updatedReplicas');
  return isPaused && updated < status(deployment, 'replicas') && !isTrue(deployment, 'ReplicaFailure')
    ? [
        {
          severity: 'info',
          ref: toRef(deployment),
          reason: 'DeploymentPaused',
          since: conditionOf(deployment, 'Progressing')?.changedAt,
          detail: `paused in the middle of a rollout: ${updated} of ${status(deployment, 'replicas')} pods are of the new revision`,
          at: placeIn(deployment, 'spec.paused'),
          next: lookAt(toRef(deployment), 'rollout'),
        },
      ]
    : [];
};

export const checkRollouts: Check = (cluster, now) => [
  ...cluster.list('deployments').flatMap((deployment) => [...judgeDeployment(deployment, now), ...judgePaused(deployment)]),
  ...cluster.list('statefulsets').flatMap((set) => judgeStatefulSet(set, now)),
  ...cluster.list('daemonsets').flatMap((set) => [...judgeDaemonSet(set, now), ...judgeMisplaced(set)]),
];
