import { describe, expect, it } from 'vitest';
import { checkAdmission } from './admission.ts';
import { lines, make, NOW, snapshotOf } from './objects.suite.ts';

const configuration = (failurePolicy: string) =>
  make('ValidatingWebhookConfiguration', 'policy', {
    webhooks: [
      {
        name: 'check.example.com',
        failurePolicy,
        clientConfig: { service: { name: 'hook', namespace: 'shop' } },
        rules: [{ resources: ['pods', 'deployments'] }],
      },
    ],
  });
const service = make('Service', 'hook', { spec: { selector: { app: 'hook' } } });
const slice = (ready: boolean) =>
  make('EndpointSlice', 'hook-1', { endpoints: [{ conditions: { ready } }] }, { labels: { 'kubernetes.io/service-name': 'hook' } });

describe('admission and aggregated APIs', () => {
  it('tells a webhook without a service that refuses every write', () => {
    expect(lines(checkAdmission(snapshotOf([configuration('Fail')]), NOW))).toEqual([
      'critical validatingwebhookconfiguration/policy WebhookServiceMissing: webhook check.example.com: service shop/hook does not exist; failurePolicy Fail: writes of pods, deployments are refused',
    ]);
  });

  it('tells one whose service has no ready endpoint; one that is passed over only as a note', () => {
    expect(checkAdmission(snapshotOf([configuration('Fail'), service, slice(false)]), NOW)[0]).toMatchObject({
      severity: 'critical',
      reason: 'WebhookNotReady',
    });
    expect(checkAdmission(snapshotOf([configuration('Ignore'), service, slice(false)]), NOW)[0]?.severity).toBe('info');
  });

  it('finds nothing in one that answers, or whose service may not be read', () => {
    expect(checkAdmission(snapshotOf([configuration('Fail'), service, slice(true)]), NOW)).toEqual([]);
    expect(checkAdmission(snapshotOf([configuration('Fail')], [], ['services']), NOW)).toEqual([]);
  });

  it('tells an aggregated API that does not answer', () => {
    const api = make('APIService', 'v1beta1.metrics.k8s.io', {
      spec: { service: { name: 'metrics-server', namespace: 'kube-system' } },
      status: { conditions: [{ type: 'Available', status: 'False', reason: 'MissingEndpoints', message: 'endpoints are missing' }] },
    });
    expect(lines(checkAdmission(snapshotOf([api]), NOW))).toEqual([
      'warning apiservice/v1beta1.metrics.k8s.io MissingEndpoints: the API v1beta1.metrics.k8s.io does not answer: endpoints are missing',
    ]);
  });
});
