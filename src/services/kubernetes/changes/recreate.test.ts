import { expect, it } from 'vitest';
import { toRecreated } from './recreate.ts';

const metadata = {
  ...{ name: 'data', namespace: 'shop', uid: '1', resourceVersion: '7', creationTimestamp: '2026-01-02T03:04:05Z' },
  labels: { app: 'db' },
};

it('a claim comes back unbound: one that calls itself bound and has no volume would be lost for good', () => {
  const claim = {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Bound' } },
    metadata: {
      ...metadata,
      annotations: {
        'pv.kubernetes.io/bind-completed': 'yes',
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'volume.kubernetes.io/selected-node': 'node-1',
        'volume.kubernetes.io/storage-provisioner': 'disk.example.test',
        note: 'mine',
      },
      finalizers: ['kubernetes.io/pvc-protection', 'example.test/backup'],
    },
    spec: { accessModes: ['ReadWriteOnce'], volumeName: 'pv-1', storageClassName: 'fast' },
  };
  expect(toRecreated(claim)).toEqual({
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    metadata: {
      ...{ name: 'data', namespace: 'shop', labels: { app: 'db' } },
      annotations: { note: 'mine' },
      finalizers: ['example.test/backup'],
    },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'fast' },
  });
});

it('a pod comes back without the containers that were put into it while it ran, and without the way it was deleted', () => {
  const pod = {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { ...metadata, finalizers: ['foregroundDeletion'], deletionTimestamp: '2026-01-02T03:05:05Z' },
    spec: { nodeName: 'node-1', containers: [{ name: 'app' }], ephemeralContainers: [{ name: 'debug' }] },
  };
  expect(toRecreated(pod)).toEqual({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'data', namespace: 'shop', labels: { app: 'db' } },
    spec: { containers: [{ name: 'app' }] },
  });
});
