import { describe, expect, it } from 'vitest';
import { fieldNaming, parseMissing } from './naming.ts';

const spec = {
  serviceAccountName: 'runner',
  volumes: [
    { name: 'tls', secret: { secretName: 'web-tls' } },
    { name: 'all', projected: { sources: [{ serviceAccountToken: {} }, { configMap: { name: 'extra' } }] } },
    { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
  ],
  initContainers: [{ name: 'setup', envFrom: [{ secretRef: { name: 'first' } }] }],
  containers: [
    {
      name: 'main',
      env: [
        { name: 'A', valueFrom: { secretKeyRef: { name: 'db', key: 'user' } } },
        { name: 'B', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
      ],
    },
  ],
};

describe('the field that names what is missing', () => {
  it.each([
    ['configmap "extra" not found', 'volumes[?name=all].projected.sources[1].configMap.name'],
    ['MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', 'volumes[?name=tls].secret.secretName'],
    ['secret "first" not found', 'initContainers[?name=setup].envFrom[0].secretRef.name'],
    ["couldn't find key password in Secret shop/db", 'containers[?name=main].env[?name=B].valueFrom.secretKeyRef.key'],
    ['persistentvolumeclaim "data" not found', 'volumes[?name=data].persistentVolumeClaim.claimName'],
    ['error looking up service account shop/runner: serviceaccount "runner" not found', 'serviceAccountName'],
  ])('%s', (message, field) => {
    const named = parseMissing(message);
    expect(named === undefined ? undefined : fieldNaming(spec, named)).toBe(field);
  });

  it('is none for other words, or when nothing in the spec has that name', () => {
    expect(parseMissing('container has runAsNonRoot and image will run as root')).toBeUndefined();
    expect(fieldNaming(spec, { kind: 'configmap', name: 'absent' })).toBeUndefined();
  });
});
