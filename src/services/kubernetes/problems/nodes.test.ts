import { describe, expect, it } from 'vitest';
import { checkNodes } from './nodes.ts';
import { ago, lines, MINUTE, make, NOW, podOf, snapshotOf } from './objects.suite.ts';

const node = (conditions: readonly Record<string, string>[], spec = {}) => make('Node', 'node-1', { spec, status: { conditions } });
const ready = { type: 'Ready', status: 'True' };

describe('nodes', () => {
  it('finds nothing in a ready node whose pressure is long over', () => {
    const over = { type: 'DiskPressure', status: 'False', reason: 'KubeletHasNoDiskPressure', lastTransitionTime: ago(26 * 60 * MINUTE) };
    expect(checkNodes(snapshotOf([node([ready, over])]), NOW)).toEqual([]);
  });

  it('tells a node that is not ready, with the pods that suffer', () => {
    const unknown = {
      type: 'Ready',
      status: 'Unknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: ago(5 * MINUTE),
    };
    const [problem] = checkNodes(snapshotOf([node([unknown]), podOf('web', 'a', { ready: false }), podOf('web', 'b')]), NOW);
    expect(problem).toMatchObject({
      severity: 'critical',
      reason: 'NodeStatusUnknown',
      since: NOW - 5 * MINUTE,
      detail: 'not ready 5m: Kubelet stopped posting node status.; 2 pods there, 1 not ready',
      involves: [{ kind: 'pod', name: 'web-abc-a', namespace: 'shop' }],
    });
  });

  it('tells pressure and cordons', () => {
    const pressure = { type: 'MemoryPressure', status: 'True', message: 'kubelet has insufficient memory available' };
    expect(lines(checkNodes(snapshotOf([node([ready, pressure])]), NOW))).toEqual([
      'warning node/node-1 MemoryPressure: MemoryPressure: kubelet has insufficient memory available; new pods stay away, running ones may be evicted',
    ]);
    expect(lines(checkNodes(snapshotOf([node([ready], { unschedulable: true })]), NOW))).toEqual([
      'info node/node-1 Cordoned: takes no new pods; 0 pods still there',
    ]);
  });
});
