import { describe, expect, it } from 'vitest';
import { checkDeletions } from './deletion.ts';
import { ago, HOUR, lines, MINUTE, make, NOW, podOf, snapshotOf } from './objects.suite.ts';

describe('deletions', () => {
  it('tells an object that finalizers hold', () => {
    const claim = make('PersistentVolumeClaim', 'data', {}, { deleted: ago(HOUR), finalizers: ['kubernetes.io/pvc-protection'] });
    expect(lines(checkDeletions(snapshotOf([claim]), NOW))).toEqual([
      'warning persistentvolumeclaim/data TerminatingForLong: being deleted for 60m, held by finalizers kubernetes.io/pvc-protection',
    ]);
  });

  it('tells what is left in a namespace', () => {
    const conditions = [
      { type: 'NamespaceDeletionDiscoveryFailure', status: 'False', message: 'All resources successfully discovered' },
      {
        type: 'NamespaceFinalizersRemaining',
        status: 'True',
        message: 'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
      },
    ];
    const [problem] = checkDeletions(snapshotOf([make('Namespace', 'old', { status: { conditions } }, { deleted: ago(HOUR) })]), NOW);
    expect(problem).toMatchObject({ evidence: [expect.stringContaining('example.com/hold')] });
  });

  it('blames the node of a pod whose end nobody confirms', () => {
    const [problem] = checkDeletions(snapshotOf([podOf('web', 'a', {}, { deleted: ago(HOUR) })]), NOW);
    expect(problem?.detail).toContain('the kubelet of node-1 has not confirmed its end');
    expect(problem?.because).toContainEqual({ kind: 'node', name: 'node-1' });
  });

  it('has patience', () => {
    expect(checkDeletions(snapshotOf([podOf('web', 'a', {}, { deleted: ago(5 * MINUTE) }), podOf('web', 'b')]), NOW)).toEqual([]);
  });
});
