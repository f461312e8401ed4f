import { describe, expect, it } from 'vitest';
import { ago, HOUR, lines, MINUTE, make, NOW, snapshotOf, warn } from './objects.suite.ts';
import { checkQuotas } from './quota.ts';

const QUOTA = 'pods "web-abc-x" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=6, limited: pods=6';
const set = (message?: string) =>
  make(
    'ReplicaSet',
    'web-abc',
    {
      status: {
        conditions:
          message === undefined
            ? []
            : [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: ago(5 * MINUTE) }],
      },
    },
    { owner: { kind: 'Deployment', name: 'web' } },
  );

describe('quota and admission of pods', () => {
  it('tells an exceeded quota of a Deployment by the condition of its ReplicaSet', () => {
    const found = checkQuotas(snapshotOf([set(QUOTA), make('Deployment', 'web')]), NOW);
    expect(lines(found)).toEqual([
      'critical deployment/web QuotaExceeded: pods cannot be created: exceeded quota: tight, requested: pods=1, used: pods=6, limited: pods=6',
    ]);
    expect(found[0]?.next).toEqual({ tool: 'kubernetes_get_usage', arguments: { view: 'quota', namespace: 'shop' } });
  });

  it.each([
    ['error looking up service account shop/absent: serviceaccount "absent" not found', 'ServiceAccountMissing'],
    ['violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false', 'PodSecurity'],
    ['maximum memory usage per Container is 1Gi, but limit is 2Gi', 'LimitRange'],
    ['admission webhook "x.example.com" denied the request', 'AdmissionDenied'],
    ['something else', 'FailedCreate'],
  ])('%s is %s', (words, reason) => {
    expect(checkQuotas(snapshotOf([set(`pods "web-abc-" is forbidden: ${words}`)]), NOW)[0]?.reason).toBe(reason);
  });

  it('reads the event where the kind has no condition, and forgets an old one', () => {
    const db = make('StatefulSet', 'db');
    const found = (at: number) =>
      checkQuotas(snapshotOf([db], [warn('StatefulSet', 'db', 'FailedCreate', `create Pod db-0 failed: ${QUOTA}`, { at })]), NOW);
    expect(found(NOW - MINUTE)[0]).toMatchObject({ ref: { kind: 'statefulset', name: 'db' }, reason: 'QuotaExceeded' });
    expect(found(NOW - HOUR)).toEqual([]);
  });
});
