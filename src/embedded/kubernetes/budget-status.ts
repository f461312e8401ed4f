// What the disruption controller finds for a budget among the pods (kubernetes, pkg/controller/disruption/disruption.go).
import { at, type Json, type JsonObject, objectAt, objectsAt, toTime } from './json.ts';
import { toLabelSelector } from './label-selector.ts';
import type { KubernetesObject } from './object.ts';

/** How long the controller believes that an evicted pod will go. */
const BELIEVED = 120_000;

export interface BudgetScene {
  readonly pods: readonly KubernetesObject[];
  /** How many pods the owners of the chosen ones want: the base of percentages. */
  readonly expected: number;
  readonly now: number;
}

const isReady = (pod: KubernetesObject): boolean =>
  objectsAt(pod, 'status', 'conditions').some((entry) => entry['type'] === 'Ready' && entry['status'] === 'True');

const scaled = (value: Json | undefined, total: number): number => {
  if (typeof value === 'number') return value;
  const percent = Number.parseFloat(String(value));
  return Number.isNaN(percent) ? 0 : Math.ceil((total * percent) / 100);
};

/** The pods that a budget protects. */
export const chosenBy = (budget: KubernetesObject, pods: readonly KubernetesObject[]): KubernetesObject[] => {
  const selector = toLabelSelector(at(budget, 'spec', 'selector'));
  return pods.filter((pod) => pod.metadata.namespace === budget.metadata.namespace && selector.matches(pod.metadata.labels ?? {}));
};

/** Pods that were let go and have not gone yet. */
const disruptedOf = (budget: KubernetesObject, chosen: readonly KubernetesObject[], now: number): JsonObject =>
  Object.fromEntries(
    Object.entries(objectAt(budget, 'status', 'disruptedPods')).filter(([name, time]) => {
      const pod = chosen.find(({ metadata }) => metadata.name === name);
      return pod !== undefined && pod.metadata.deletionTimestamp === undefined && Date.parse(String(time)) + BELIEVED > now;
    }),
  );

export const budgetStatus = (budget: KubernetesObject, { pods, expected, now }: BudgetScene): JsonObject => {
  const chosen = chosenBy(budget, pods);
  const disrupted = disruptedOf(budget, chosen, now);
  const healthy = chosen.filter(
    ({ metadata, ...pod }) =>
      isReady({ ...pod, metadata }) && metadata.deletionTimestamp === undefined && disrupted[metadata.name] === undefined,
  ).length;
  const [least, most] = [at(budget, 'spec', 'minAvailable'), at(budget, 'spec', 'maxUnavailable')];
  const isCounted = most === undefined && typeof least === 'number';
  const expectedPods = isCounted ? chosen.length : expected;
  const desired = most === undefined ? scaled(least, expected) : Math.max(0, expected - scaled(most, expected));
  const allowed = expectedPods > 0 ? Math.max(0, healthy - desired) : 0;
  const status = allowed > 0 ? 'True' : 'False';
  const known = objectsAt(budget, 'status', 'conditions').find(({ type }) => type === 'DisruptionAllowed');
  const generation = budget.metadata.generation ?? 1;
  return {
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    observedGeneration: generation,
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods,
    conditions: [
      {
        type: 'DisruptionAllowed',
        status,
        observedGeneration: generation,
        lastTransitionTime: known?.['status'] === status ? (known['lastTransitionTime'] ?? toTime(now)) : toTime(now),
        reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
        message: '',
      },
    ],
  };
};
