// Nodes: not ready, under pressure, closed.

import { booleanAt, type Condition, conditionsOf, type KubeObject, listAt, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
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
      at: placeIn(node, 'status.conditions[?type=Ready].status'),
      involves: sick.map(podRef),
      next: lookAt(ref, 'describe'),
    },
  ];
};

/** Taints that say that a node is not finished, or given up: who put them there must take them away. */
const STRANGE: Readonly<Record<string, string>> = {
  'node.cloudprovider.kubernetes.io/uninitialized': 'waits for the cloud controller to finish it; no pod can run there',
  'node.kubernetes.io/out-of-service': 'was declared out of service; its pods were moved away',
  'node.cilium.io/agent-not-ready': 'waits for its network agent',
};

const judgeTaints = (node: KubeObject): readonly Problem[] =>
  listAt(node, 'spec', 'taints').flatMap((taint): readonly Problem[] => {
    const key = textAt(taint, 'key') ?? '';
    const words = STRANGE[key];
    if (words === undefined) return [];
    const ref = toRef(node);
    const at = placeIn(node, `spec.taints[?key=${key}].effect`);
    return [{ severity: 'warning', ref, reason: 'NodeTainted', detail: `taint ${key}: it ${words}`, at, next: lookAt(ref, 'describe') }];
  });

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
        at: placeIn(node, `status.conditions[?type=${pressure.type}].status`),
        next: lookAt(ref, 'describe'),
      }),
    ),
    ...judgeTaints(node),
    ...(isCordoned && ready?.status === 'True'
      ? [
          {
            severity: 'info' as const,
            ref,
            reason: 'Cordoned',
            detail: `takes no new pods; ${countOf(podsOn(cluster, node).length, 'pod')} still there`,
            at: placeIn(node, 'spec.unschedulable'),
            next: lookAt(ref, 'describe'),
          },
        ]
      : []),
  ];
};

export const checkNodes: Check = (cluster, now) => cluster.list('nodes').flatMap((node) => judge(cluster, node, now));
