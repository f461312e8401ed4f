import { describe, expect, it } from 'vitest';
import { checkBudgets } from './disruption.ts';
import { lines, make, NOW, podOf, snapshotOf } from './objects.suite.ts';

const budget = (status: Record<string, unknown>, spec: Record<string, unknown> = { minAvailable: 2 }) =>
  make('PodDisruptionBudget', 'web', { spec: { selector: { matchLabels: { app: 'web' } }, ...spec }, status });
const pods = (...ready: boolean[]) => ready.map((isReady, index) => podOf('web', String(index), { ready: isReady }));

describe('disruption budgets', () => {
  it('finds nothing in one that allows an eviction', () => {
    expect(checkBudgets(snapshotOf([budget({ disruptionsAllowed: 1, expectedPods: 3 }), ...pods(true, true, true)]), NOW)).toEqual([]);
  });

  it('tells one that allows none while pods are not ready, as a symptom of their workload', () => {
    const [problem] = checkBudgets(
      snapshotOf([budget({ disruptionsAllowed: 0, expectedPods: 3, desiredHealthy: 2 }), ...pods(true, true, false)]),
      NOW,
    );
    expect(problem).toMatchObject({
      reason: 'NoDisruptionAllowed',
      isSymptom: true,
      because: [{ kind: 'deployment', name: 'web' }],
      detail: 'allows no eviction (minAvailable 2) while 1 of 3 pods are not ready: drains will wait',
    });
  });

  it('tells one that can never allow any, except for a single replica', () => {
    const never = budget({ disruptionsAllowed: 0, expectedPods: 2, desiredHealthy: 2 }, { maxUnavailable: 0 });
    expect(lines(checkBudgets(snapshotOf([never, ...pods(true, true)]), NOW))[0]).toContain(
      'info poddisruptionbudget/web NeverAllowsDisruption: maxUnavailable 0 with 2 pods',
    );
    expect(checkBudgets(snapshotOf([budget({ disruptionsAllowed: 0, expectedPods: 1, desiredHealthy: 1 }), ...pods(true)]), NOW)).toEqual(
      [],
    );
  });

  it('tells one that protects nothing', () => {
    expect(lines(checkBudgets(snapshotOf([budget({ disruptionsAllowed: 0, expectedPods: 0 })]), NOW))).toEqual([
      'info poddisruptionbudget/web SelectorMatchesNothing: its selector matches no pod: it protects nothing',
    ]);
  });
});
