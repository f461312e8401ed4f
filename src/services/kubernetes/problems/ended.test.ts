import { describe, expect, it } from 'vitest';
import { checkEndedPods } from './ended.ts';
import { ago, DAY, HOUR, lines, make, NOW, podOf, snapshotOf } from './objects.suite.ts';

const ended = (exitCode: number, finishedAt: string) => ({
  terminated: { reason: exitCode === 0 ? 'Completed' : 'Error', exitCode, finishedAt },
});
const lonely = (finishedAt: string) =>
  make(
    'Pod',
    'once',
    { status: { phase: 'Failed', containerStatuses: [{ name: 'main', state: ended(5, finishedAt) }] } },
    { created: ago(3 * DAY) },
  );

describe('ended pods', () => {
  it('tells a pod that failed and has no owner, for a day', () => {
    expect(lines(checkEndedPods(snapshotOf([lonely(ago(HOUR))]), NOW))).toEqual([
      'warning pod/once PodFailed: the pod has failed, and no controller starts it again: container main ended: Error (exit 5) 60m ago',
    ]);
    expect(checkEndedPods(snapshotOf([lonely(ago(2 * DAY))]), NOW)).toEqual([]);
  });

  it('notes evicted pods of a workload, grouped', () => {
    const evicted = (name: string) => {
      const pod = podOf('web', name, { phase: 'Failed', hasStatus: false }, { created: ago(HOUR) });
      return { ...pod, status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' } };
    };
    expect(lines(checkEndedPods(snapshotOf([evicted('a'), evicted('b'), podOf('web', 'c')]), NOW))).toEqual([
      'info deployment/web Evicted: 2 pods ended as Evicted, last web-abc-a on node-1: The node was low on resource: memory.',
    ]);
  });

  it('leaves finished pods of Jobs to the Jobs', () => {
    const pod = make(
      'Pod',
      'import-x',
      { status: { phase: 'Failed', containerStatuses: [{ name: 'main', state: ended(1, ago(HOUR)) }] } },
      { owner: { kind: 'Job', name: 'import' } },
    );
    expect(checkEndedPods(snapshotOf([pod]), NOW)).toEqual([]);
  });
});
