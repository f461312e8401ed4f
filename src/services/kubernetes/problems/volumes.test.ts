import { describe, expect, it } from 'vitest';
import { ago, lines, make, NOW, podOf, snapshotOf, warn } from './objects.suite.ts';
import { checkVolumes } from './volumes.ts';

const claim = (spec: Record<string, unknown>, phase = 'Pending', head = {}) =>
  make('PersistentVolumeClaim', 'data', { spec, status: { phase } }, head);
const storageClass = (name: string, more: Record<string, unknown> = {}, annotations = {}) =>
  make('StorageClass', name, more, { annotations });
const linesOf = (...objects: Parameters<typeof snapshotOf>[0]): readonly string[] => lines(checkVolumes(snapshotOf(objects), NOW));

describe('volumes', () => {
  it('tells a claim of a class that does not exist, and one without any', () => {
    expect(linesOf(claim({ storageClassName: 'fast' }), storageClass('slow'))).toEqual([
      'warning persistentvolumeclaim/data StorageClassMissing: claim Pending: there is no storage class fast (there are: slow)',
    ]);
    expect(linesOf(claim({}), storageClass('slow'))[0]).toContain('it names no storage class, and none is the default (there are: slow)');
  });

  it('gives the words of the provisioner', () => {
    const event = warn('PersistentVolumeClaim', 'data', 'ProvisioningFailed', 'no space left in pool');
    expect(lines(checkVolumes(snapshotOf([claim({ storageClassName: 'slow' }), storageClass('slow')], [event]), NOW))).toEqual([
      'warning persistentvolumeclaim/data ProvisioningFailed: claim Pending: no space left in pool',
    ]);
  });

  it('leaves alone a claim that waits for its first pod, a new one, a bound one', () => {
    const late = storageClass('late', { volumeBindingMode: 'WaitForFirstConsumer' });
    expect(linesOf(claim({ storageClassName: 'late' }), late)).toEqual([]);
    expect(linesOf(claim({ storageClassName: 'fast' }, 'Pending', { created: ago(10_000) }))).toEqual([]);
    expect(linesOf(claim({ storageClassName: 'fast' }, 'Bound'))).toEqual([]);
  });

  it('tells a lost claim', () => {
    expect(linesOf(claim({ volumeName: 'pv-1' }, 'Lost'))).toEqual([
      'critical persistentvolumeclaim/data ClaimLost: its volume pv-1 no longer exists',
    ]);
  });

  it('tells volumes that cannot be attached, as a problem of the workload', () => {
    const pod = podOf('web', 'a', { ready: false, state: { waiting: { reason: 'ContainerCreating' } } });
    const event = warn('Pod', 'web-abc-a', 'FailedAttachVolume', 'Multi-Attach error for volume "pv-1"');
    expect(lines(checkVolumes(snapshotOf([pod], [event]), NOW))).toEqual([
      'critical deployment/web FailedAttachVolume: volumes of its only pod cannot be mounted (last 60s ago): Multi-Attach error for volume "pv-1"',
    ]);
  });

  it('tells a volume whose reclamation failed', () => {
    expect(linesOf(make('PersistentVolume', 'pv-1', { status: { phase: 'Failed', message: 'recycler gone' } }))).toEqual([
      'warning persistentvolume/pv-1 VolumeFailed: recycler gone',
    ]);
  });
});
