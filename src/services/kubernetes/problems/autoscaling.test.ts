import { describe, expect, it } from 'vitest';
import { checkAutoscalers } from './autoscaling.ts';
import { joinProblems } from './join.ts';
import { lines, make, NOW, snapshotOf } from './objects.suite.ts';

const autoscaler = (conditions: readonly Record<string, string>[], current = 5, name = 'web') =>
  make('HorizontalPodAutoscaler', name, {
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'web' }, minReplicas: 3, maxReplicas: 6 },
    status: { currentReplicas: current, conditions },
  });
const web = make('Deployment', 'web');
const failing = (message: string) => [{ type: 'ScalingActive', status: 'False', reason: 'FailedGetResourceMetric', message }];

describe('autoscaling', () => {
  it('finds nothing in one that has scaled within its bounds', () => {
    expect(
      checkAutoscalers(snapshotOf([autoscaler([{ type: 'ScalingLimited', status: 'False', reason: 'DesiredWithinRange' }]), web]), NOW),
    ).toEqual([]);
  });

  it('tells one at its maximum that wants more', () => {
    expect(
      lines(
        checkAutoscalers(snapshotOf([autoscaler([{ type: 'ScalingLimited', status: 'True', reason: 'TooManyReplicas' }], 6), web]), NOW),
      ),
    ).toEqual(['info horizontalpodautoscaler/web AtMaximum: deployment/web is at its maximum of 6 replicas and wants more']);
  });

  it('tells one without a target', () => {
    expect(lines(checkAutoscalers(snapshotOf([autoscaler([])]), NOW))).toEqual([
      'warning horizontalpodautoscaler/web TargetMissing: deployment/web does not exist',
    ]);
  });

  it('blames the workload where its pods give no numbers', () => {
    const [problem] = checkAutoscalers(
      snapshotOf([autoscaler(failing('missing request for cpu in container main of Pod web-1')), web]),
      NOW,
    );
    expect(problem).toMatchObject({ reason: 'FailedGetResourceMetric', because: [{ kind: 'deployment', name: 'web' }] });
  });

  it('makes one problem of a metrics API that is not there, however many autoscalers ask it', () => {
    const message =
      'failed to get cpu utilization: unable to fetch metrics from resource metrics API: the server could not find the requested resource';
    const objects = [autoscaler(failing(message)), autoscaler(failing(message), 5, 'api'), web];
    const joined = joinProblems(checkAutoscalers(snapshotOf(objects), NOW));
    expect(joined.map(({ ref }) => ref)).toEqual([{ kind: 'apiservice', name: 'v1beta1.metrics.k8s.io' }]);
    expect(joined[0]?.involves?.map(({ name }) => name)).toContain('api');
  });

  it('leaves alone one that a person switched off by scaling to zero', () => {
    expect(
      checkAutoscalers(snapshotOf([autoscaler([{ type: 'ScalingActive', status: 'False', reason: 'ScalingDisabled' }]), web]), NOW),
    ).toEqual([]);
  });
});
