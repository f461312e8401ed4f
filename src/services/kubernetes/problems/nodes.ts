// Nodes: not ready, under pressure, closed.

import { booleanAt, type Condition, conditionsOf, type KubeObject, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { activePods, agoText, isPodReady, lookAt, podRef } from './pods.ts';
import { type Check, countOf, type Problem, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

/** Conditions of the node itself that are bad when True; plugins add their own, which are not judged. */
const PRESSURES = new Set(['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable']);

const podsOn = (cluster: Snapshot, node: KubeObject): readonly KubeObject[] =>
  activePods(cluster).filter((pod) => textAt(pod, 'spec', 'nodeName') === nameOf(node));

const judgeReady = (cluster: Snapshot, node: KubeObject, ready: Condition | undefined, now: number): readonly Problem[] => {
  if (ready?.status === 'True') return [];
  const ref = toRef(node);
  const pods = podsOn(cluster, node);
  const sick = pods.filter((pod) => !isPodReady(pod));
  return [
    {
      severity: 'critical',
      ref,
      reason: ready?.status === 'Unknown' ? 'NodeStatusUnknown' : 'NodeNotReady',
      since: ready?.changedAt,
      detail: `not ready${agoText(ready?.changedAt, now).replace(' ago', '')}: ${ready?.message ?? 'no Ready condition'}; ${countOf(pods.length, 'pod')} there, ${sick.length} not ready`,
      involves: sick.map(podRef),
      next: lookAt(ref, 'describe'),
    },
  ];
};

const judge = (cluster: Snapshot, node: KubeObject, now: number): readonly Problem[] => {
  const ref = toRef(node);
  const conditions = conditionsOf(node);
  const ready = conditions.find(({ type }) => type === 'Ready');
  const pressures = conditions.filter(({ type, status }) => PRESSURES.has(type) && status === 'True');
  const isCordoned = booleanAt(node, 'spec', 'unschedulable');
  return [
    ...judgeReady(cluster, node, ready, now),
    ...pressures.map(
      (pressure): Problem => ({
        severity: 'warning',
        ref,
        reason: pressure.type,
        since: pressure.changedAt,
        detail: `${pressure.type}: ${pressure.message ?? pressure.reason ?? ''}; new pods stay away, running ones may be evicted`,
        next: lookAt(ref, 'describe'),
      }),
    ),
    ...(isCordoned && ready?.status === 'True'
      ? [
          {
            severity: 'info' as const,
            ref,
            reason: 'Cordoned',
            detail: `takes no new pods; ${countOf(podsOn(cluster, node).length, 'pod')} still there`,
            next: lookAt(ref, 'describe'),
          },
        ]
      : []),
  ];
};

export const checkNodes: Check = (cluster, now) => cluster.list('nodes').flatMap((node) => judge(cluster, node, now));
