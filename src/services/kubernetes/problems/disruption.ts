// Disruption budgets that allow nothing: they stop drains and upgrades.

import { matchesSelector } from '../../../upstream/kubernetes/label-selector.ts';
import { conditionOf, type KubeObject, mapAt, namespaceOf, numberAt, textAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { activePods, isPodReady, lookAt, podRef } from './pods.ts';
import { type Check, type Problem, toRef } from './problem.ts';

const budgetWords = (budget: KubeObject): string =>
  ['minAvailable', 'maxUnavailable']
    .map((key) => [key, valueAt(budget, 'spec', key)] as const)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(', ');

/** Could it never allow one, even with all pods healthy? A single replica has no other choice and is left alone. */
const neverAllows = (budget: KubeObject): boolean => {
  const expected = numberAt(budget, 'status', 'expectedPods') ?? 0;
  const wanted = numberAt(budget, 'status', 'desiredHealthy') ?? 0;
  return expected > 1 && wanted >= expected;
};

const judge = (
  budget: KubeObject,
  all: readonly KubeObject[],
  isRead: boolean,
  ownerOf: (pod: KubeObject) => Problem['ref'],
): readonly Problem[] => {
  const ref = toRef(budget);
  const selector = valueAt(budget, 'spec', 'selector');
  const pods = all.filter((pod) => namespaceOf(pod) === ref.namespace && matchesSelector(selector, mapAt(pod, 'metadata', 'labels')));
  const common = { ref, next: lookAt(ref, 'describe') };
  const failure = conditionOf(budget, 'DisruptionAllowed');
  if (failure?.reason === 'SyncFailed')
    return [
      {
        ...common,
        severity: 'warning',
        reason: 'SyncFailed',
        since: failure.changedAt,
        detail: failure.message ?? 'its pods cannot be counted',
        at: placeIn(budget, 'status.conditions[?type=DisruptionAllowed].reason'),
      },
    ];
  if (isRead && pods.length === 0 && (numberAt(budget, 'status', 'expectedPods') ?? 0) === 0)
    return [
      {
        ...common,
        severity: 'info',
        reason: 'SelectorMatchesNothing',
        detail: 'its selector matches no pod: it protects nothing',
        at: placeIn(budget, 'spec.selector.matchLabels'),
      },
    ];
  if ((numberAt(budget, 'status', 'disruptionsAllowed') ?? 0) > 0 || pods.length === 0) return [];
  const sick = pods.filter((pod) => !isPodReady(pod));
  if (sick.length > 0) {
    const policy = textAt(budget, 'spec', 'unhealthyPodEvictionPolicy');
    return [
      {
        ...common,
        severity: 'warning',
        reason: 'NoDisruptionAllowed',
        detail: `allows no eviction (${budgetWords(budget)}) while ${sick.length} of ${pods.length} pods are not ready: drains will wait`,
        at: placeIn(budget, 'status.disruptionsAllowed'),
        evidence: policy === 'AlwaysAllow' ? ['unready pods may be evicted all the same (unhealthyPodEvictionPolicy)'] : [],
        involves: sick.map(podRef),
        isSymptom: true,
        because: sick.map(ownerOf),
      },
    ];
  }
  return neverAllows(budget)
    ? [
        {
          ...common,
          severity: 'info',
          reason: 'NeverAllowsDisruption',
          detail: `${budgetWords(budget)} with ${pods.length} pods allows no eviction even when all are ready: drains of their nodes never end`,
          at: placeIn(budget, valueAt(budget, 'spec', 'minAvailable') === undefined ? 'spec.maxUnavailable' : 'spec.minAvailable'),
        },
      ]
    : [];
};

export const checkBudgets: Check = (cluster) => {
  const pods = activePods(cluster);
  return cluster
    .list('poddisruptionbudgets')
    .flatMap((budget) => judge(budget, pods, cluster.isRead('pods'), (pod) => cluster.ownerOf(pod)));
};
