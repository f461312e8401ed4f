import { describe, expect, it } from 'vitest';
import { lines, make, NOW, podOf, snapshotOf } from './objects.suite.ts';
import { checkServices } from './services.ts';

const service = (spec: Record<string, unknown>) =>
  make('Service', 'web', { spec: { selector: { app: 'web' }, ports: [{ port: 80 }], ...spec } });
const slice = (ready: boolean | undefined) =>
  make(
    'EndpointSlice',
    'web-x',
    { endpoints: [{ addresses: ['10.0.0.1'], conditions: ready === undefined ? {} : { ready } }] },
    { labels: { 'kubernetes.io/service-name': 'web' } },
  );

describe('services', () => {
  it('finds nothing in a service with one ready endpoint; absent readiness counts as ready', () => {
    expect(checkServices(snapshotOf([service({}), slice(true), podOf('web', 'a')]), NOW)).toEqual([]);
    expect(checkServices(snapshotOf([service({}), slice(undefined), podOf('web', 'a')]), NOW)).toEqual([]);
  });

  it('tells a selector that matches nothing, with the near labels', () => {
    expect(lines(checkServices(snapshotOf([service({ selector: { app: 'wbe' } }), podOf('web', 'a')]), NOW))).toEqual([
      'warning service/web SelectorMatchesNothing: selector app=wbe matches no pod; near: pods with app=web',
    ]);
  });

  it('looks for pods in its own namespace only', () => {
    expect(
      checkServices(snapshotOf([service({}), podOf('web', 'a', {}, { namespace: 'data', labels: { app: 'web' } })]), NOW)[0]?.reason,
    ).toBe('SelectorMatchesNothing');
  });

  it('tells a workload that was scaled to zero as what it is', () => {
    const idle = make('Deployment', 'web', { spec: { replicas: 0, template: { metadata: { labels: { app: 'web' } } } } });
    expect(lines(checkServices(snapshotOf([service({}), idle]), NOW))).toEqual([
      'info service/web ScaledToZero: no endpoints: deployment/web has 0 replicas',
    ]);
  });

  it('blames the workload when no endpoint is ready', () => {
    const [problem] = checkServices(snapshotOf([service({}), slice(false), podOf('web', 'a', { ready: false })]), NOW);
    expect(problem).toMatchObject({
      severity: 'critical',
      reason: 'NoReadyEndpoints',
      isSymptom: true,
      because: [{ kind: 'deployment', name: 'web' }],
    });
  });

  it('tells a service without selector for which nobody has made endpoints, and none that is headless or has them', () => {
    const [problem] = checkServices(snapshotOf([service({ selector: {} })]), NOW);
    expect(problem).toMatchObject({ severity: 'warning', reason: 'NoSelectorNoEndpoints' });
    expect(checkServices(snapshotOf([service({ selector: {} }), slice(true)]), NOW)).toEqual([]);
    expect(checkServices(snapshotOf([service({ selector: {}, clusterIP: 'None' })]), NOW)).toEqual([]);
  });

  it('leaves alone what leads outside, or could not be read', () => {
    expect(checkServices(snapshotOf([service({ type: 'ExternalName' })]), NOW)).toEqual([]);
    expect(checkServices(snapshotOf([service({})], [], ['pods', 'endpointslices']), NOW)).toEqual([]);
  });
});
