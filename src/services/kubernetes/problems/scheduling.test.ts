import { describe, expect, it } from 'vitest';
import { ago, lines, MINUTE, make, NOW, podOf, snapshotOf } from './objects.suite.ts';
import { checkScheduling } from './scheduling.ts';

const MESSAGE = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
const pending = (spec: Record<string, unknown>, reason = 'Unschedulable') =>
  podOf('web', 'a', {
    ready: false,
    hasStatus: false,
    phase: 'Pending',
    spec,
    conditions: [{ type: 'PodScheduled', status: 'False', reason, message: MESSAGE, lastTransitionTime: ago(9 * MINUTE) }],
  });
const node = (name: string, labels: Record<string, string>) =>
  make('Node', name, { status: { allocatable: { cpu: '4', memory: '8Gi' } } }, { labels });
const nodes = [node('node-1', { disk: 'ssd', zone: 'a' }), node('node-2', { disk: 'hdd', zone: 'b' })];
const detailOf = (spec: Record<string, unknown>): string | undefined =>
  checkScheduling(snapshotOf([pending(spec), ...nodes]), NOW)[0]?.detail;

describe('scheduling', () => {
  it('names the near value of a label that no node has, with the words of the scheduler as evidence', () => {
    const [problem] = checkScheduling(snapshotOf([pending({ nodeSelector: { disk: 'sdd' } }), ...nodes]), NOW);
    expect(problem).toMatchObject({
      reason: 'Unschedulable',
      since: NOW - 9 * MINUTE,
      detail: 'its only pod Pending: no node has disk=sdd; near: disk=ssd (1 node), disk=hdd (1 node)',
      evidence: [`scheduler: ${MESSAGE}`],
    });
  });

  it('names the near label, the other values, and required affinity likewise', () => {
    expect(detailOf({ nodeSelector: { disc: 'ssd' } })).toContain('no node has disc=ssd; near: the label disk');
    expect(detailOf({ nodeSelector: { zone: 'europe-west' } })).toContain('no node has zone=europe-west; zone is a, b');
    const nodeSelectorTerms = [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['c'] }] }];
    expect(detailOf({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } })).toContain(
      'no node has zone=c',
    );
  });

  it('finds requests that are larger than any node', () => {
    expect(detailOf({ containers: [{ name: 'main', resources: { requests: { cpu: '6', memory: '16Gi' } } }] })).toContain(
      'it requests 6 cpu, the largest node has 4; it requests 16Gi memory, the largest node has 8Gi',
    );
  });

  it('leaves it at the words of the scheduler where nothing in the pod explains them', () => {
    expect(detailOf({ nodeSelector: { disk: 'ssd' } })).toBe(`its only pod Pending: ${MESSAGE}`);
  });

  it('points at the claim that is not bound', () => {
    const spec = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] };
    const claim = make('PersistentVolumeClaim', 'data', { status: { phase: 'Pending' } });
    expect(checkScheduling(snapshotOf([pending(spec), claim]), NOW)[0]?.because).toEqual([
      { kind: 'persistentvolumeclaim', name: 'data', namespace: 'shop' },
    ]);
  });

  it('names scheduling gates', () => {
    expect(
      lines(checkScheduling(snapshotOf([pending({ schedulingGates: [{ name: 'example.com/wait' }] }, 'SchedulingGated')]), NOW))[0],
    ).toContain('SchedulingGated: its only pod Pending: scheduling gates: example.com/wait');
  });

  it('finds nothing in scheduled pods', () => {
    expect(checkScheduling(snapshotOf([podOf('web', 'a'), ...nodes]), NOW)).toEqual([]);
  });
});
