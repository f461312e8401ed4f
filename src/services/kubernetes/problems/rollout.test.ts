import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import { ago, HOUR, lines, MINUTE, make, NOW, snapshotOf } from './objects.suite.ts';
import { checkRollouts } from './rollout.ts';

const deployment = (status: Record<string, unknown>, replicas = 3): KubeObject => make('Deployment', 'web', { spec: { replicas }, status });
const linesOf = (object: KubeObject): readonly string[] => lines(checkRollouts(snapshotOf([object]), NOW));

describe('rollout', () => {
  it('finds nothing in a complete rollout', () => {
    const conditions = [
      { type: 'Available', status: 'True' },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
    ];
    expect(linesOf(deployment({ replicas: 3, updatedReplicas: 3, availableReplicas: 3, conditions }))).toEqual([]);
  });

  it('tells a rollout that exceeded its deadline', () => {
    const conditions = [
      {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: 'ReplicaSet "web-1" has timed out progressing.',
        lastTransitionTime: ago(HOUR),
      },
    ];
    expect(linesOf(deployment({ replicas: 4, updatedReplicas: 1, availableReplicas: 3, conditions }))).toEqual([
      'warning deployment/web ProgressDeadlineExceeded: rollout stuck: ReplicaSet "web-1" has timed out progressing. 1 of 3 updated, 3 available',
    ]);
  });

  it('tells a Deployment below its minimum after two minutes', () => {
    const below = (lastTransitionTime: string) =>
      linesOf(
        deployment({
          replicas: 3,
          updatedReplicas: 3,
          availableReplicas: 1,
          conditions: [{ type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', lastTransitionTime }],
        }),
      );
    expect(below(ago(5 * MINUTE))).toEqual([
      'critical deployment/web MinimumReplicasUnavailable: 1 of 3 replicas available, below the minimum',
    ]);
    expect(below(ago(30_000))).toEqual([]);
  });

  it('tells StatefulSets and DaemonSets with missing pods', () => {
    expect(linesOf(make('StatefulSet', 'db', { spec: { replicas: 3 }, status: { readyReplicas: 1 } }))).toEqual([
      'warning statefulset/db ReplicasNotReady: 1 of 3 replicas ready',
    ]);
    expect(linesOf(make('DaemonSet', 'agent', { status: { desiredNumberScheduled: 4, numberUnavailable: 4 } }))).toEqual([
      'critical daemonset/agent PodsUnavailable: 0 of 4 pods available',
    ]);
    expect(linesOf(make('StatefulSet', 'db', { spec: { replicas: 3 }, status: {} }, { created: ago(30_000) }))).toEqual([]);
  });

  it('tells a rollout that was paused half way', () => {
    const conditions = [{ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }];
    expect(linesOf(deployment({ replicas: 3, updatedReplicas: 1, availableReplicas: 3, conditions }))).toEqual([
      'info deployment/web DeploymentPaused: paused in the middle of a rollout: 1 of 3 pods are of the new revision',
    ]);
  });
});
