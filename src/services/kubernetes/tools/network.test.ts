import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openShop, type Shop } from '../../../../test/support/shop.ts';
import type { KubernetesObject } from '../../../embedded/kubernetes/index.ts';
import { estimateTokens } from '../../../kit/tokens.ts';
import network from './network.ts';

interface Hop {
  readonly hop: string;
  readonly ref?: string;
  readonly result: string;
  readonly detail: string;
}
const pathOf = (structured: Readonly<Record<string, unknown>>): Hop[] => structured['path'] as Hop[];
const hopOf = (structured: Readonly<Record<string, unknown>>, name: string): Hop | undefined =>
  pathOf(structured).find(({ hop }) => hop === name);

describe('kubernetes_check_network on the shop', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
  });
  afterAll(() => shop.close());
  const check = (args: Readonly<Record<string, unknown>>) => shop.call('kubernetes_check_network', { namespace: 'shop', ...args });

  it('follows a service to its ready pods, and says which rule lets the source in', async () => {
    const { structured, text } = await check({ to: 'service/payment', from: 'deployment/checkout' });
    expect(structured['verdict']).toBe('reachable');
    expect(pathOf(structured).map(({ hop }) => hop)).toEqual([
      'port',
      'selector',
      'endpoints',
      'target port',
      'source egress',
      'destination ingress',
    ]);
    expect(hopOf(structured, 'endpoints')?.detail).toMatch(/^2 of 3 ready; not ready: payment-\S+ \(CrashLoopBackOff, 1\/2 ready\)$/);
    expect(hopOf(structured, 'destination ingress')).toMatchObject({ ref: 'networkpolicy/allow-payment', result: 'ok' });
    expect(text).toContain('no packet was sent');
    expect(estimateTokens(text)).toBeLessThan(500);
  });

  it('says that no rule lets a source in, and how to mend it', async () => {
    const { structured } = await check({ to: 'service/payment', from: 'deployment/web', port: 'http' });
    expect(structured['verdict']).toBe('blocked');
    expect(hopOf(structured, 'destination ingress')?.detail).toContain('no rule of allow-payment, default-deny allows it');
    expect(structured['fixes']).toEqual([expect.stringContaining('Allow ingress from pods app.kubernetes.io/name=web on port 8080')]);
  });

  it('reasons across namespaces', async () => {
    expect((await check({ to: 'data/service/postgres', from: 'deployment/checkout' })).structured['verdict']).toBe('reachable');
    expect((await check({ to: 'data/service/postgres', from: 'ingress/deployment/gateway' })).structured['verdict']).toBe('blocked');
  });

  it('tells who is let in when no source is named', async () => {
    const { structured } = await check({ to: 'service/cart' });
    expect(hopOf(structured, 'destination ingress')?.detail).toContain('from namespaces kubernetes.io/metadata.name=ingress');
  });

  it('follows an ingress through the pods of its controller', async () => {
    const { structured } = await check({ to: 'ingress/shop' });
    expect(structured['verdict']).toBe('reachable');
    expect(
      pathOf(structured)
        .filter(({ hop }) => hop === 'backend')
        .map(({ ref }) => ref),
    ).toEqual(['service/cart', 'service/checkout', 'service/web']);
  });

  it('does not judge endpoints made by hand', async () => {
    expect((await check({ to: 'default/service/kubernetes' })).structured['verdict']).toBe('unknown');
  });

  it('names near objects, wrong ports, wrong kinds', async () => {
    await expect(check({ to: 'service/paymnt' })).rejects.toMatchObject({ code: 'NOT_FOUND', details: { nearest: ['payment'] } });
    await expect(check({ to: 'payment' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'to' } });
    await expect(check({ to: 'configmap/payment-config' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'to' },
    });
    await expect(check({ to: 'service/cart', from: 'service/web' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'from' },
    });
    await expect(check({ to: 'httproute/shop' })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const { structured } = await check({ to: 'service/cart', port: 'htp' });
    expect(structured['verdict']).toBe('blocked');
    expect(hopOf(structured, 'port')?.detail).toContain('near: http');
  });

  it('answers as its schema says', async () => {
    const [{ answer } = { answer: undefined }] = network;
    for (const args of [
      { to: 'service/payment', from: 'deployment/web' },
      { to: 'ingress/shop' },
      { to: 'deployment/recommendation', from: 'namespace/shop' },
    ])
      expect(answer?.safeParse((await check(args)).structured).error).toBeUndefined();
  });

  it('ends when the caller cancels', async () => {
    const signal = AbortSignal.abort();
    await expect(shop.call('kubernetes_check_network', { to: 'service/web' }, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

const object = (apiVersion: string, kind: string, name: string, rest: Record<string, unknown>): KubernetesObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'default', ...((rest['metadata'] as object | undefined) ?? {}) },
  ...Object.fromEntries(Object.entries(rest).filter(([key]) => key !== 'metadata')),
});

const pod = (name: string, isReady: boolean, port: unknown = { name: 'http', containerPort: 8080 }) =>
  object('v1', 'Pod', name, {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'web', ports: [port] }] },
    status: {
      phase: 'Running',
      podIP: '10.0.0.9',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: [{ name: 'main', ready: isReady, restartCount: 0, state: { running: {} } }],
    },
  });
const slice = (isReady: boolean) =>
  object('discovery.k8s.io/v1', 'EndpointSlice', 'web-1', {
    metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.9'], conditions: { ready: isReady }, targetRef: { kind: 'Pod', name: 'web-1' } }],
    ports: [],
  });
const service = (spec: Record<string, unknown>) =>
  object('v1', 'Service', 'web', { spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec } });
const ingress = (spec: Record<string, unknown>) =>
  object('networking.k8s.io/v1', 'Ingress', 'front', {
    spec: {
      ingressClassName: 'nginx',
      rules: [{ host: 'a.example.com', http: { paths: [{ path: '/', backend: { service: { name: 'web', port: { number: 80 } } } }] } }],
      ...spec,
    },
  });
const ingressClass = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'nginx' }, spec: { controller: 'x/y' } };
const namespaceObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };

const ask = async (objects: readonly KubernetesObject[], args: Readonly<Record<string, unknown>>) => {
  const shop = await openShop({ objects: [namespaceObject, ...objects] });
  try {
    return (await shop.call('kubernetes_check_network', { namespace: 'default', ...args })).structured;
  } finally {
    await shop.close();
  }
};

describe('kubernetes_check_network hop by hop', () => {
  it.each<[string, KubernetesObject[], string, string, string, string]>([
    [
      'a selector that matches nothing',
      [service({ selector: { app: 'wbe' } }), pod('web-1', true), slice(true)],
      'service/web',
      'blocked',
      'selector',
      'near: pods with app=web',
    ],
    [
      'no ready endpoint',
      [service({}), pod('web-1', false), slice(false)],
      'service/web',
      'blocked',
      'endpoints',
      '0 of 1 ready; not ready: web-1',
    ],
    [
      'a port name that no container has',
      [service({}), pod('web-1', true, { name: 'web', containerPort: 8080 }), slice(true)],
      'service/web',
      'blocked',
      'target port',
      'no TCP port named http',
    ],
    [
      'a port number that no container declares',
      [service({ ports: [{ port: 80, targetPort: 9 }] }), pod('web-1', true), slice(true)],
      'service/web',
      'unknown',
      'target port',
      'no container declares 9/TCP',
    ],
    [
      'an ExternalName',
      [service({ type: 'ExternalName', externalName: 'db.example.com' })],
      'service/web',
      'unknown',
      'service',
      'an alias of db.example.com',
    ],
    ['no selector and no endpoint', [service({ selector: {} })], 'service/web', 'blocked', 'endpoints', 'no selector and no endpoint'],
    [
      'a headless service',
      [service({ clusterIP: 'None' }), pod('web-1', true), slice(true)],
      'service/web',
      'reachable',
      'headless',
      'target port',
    ],
    [
      'a class that does not exist',
      [ingress({ ingressClassName: 'ngnx' }), ingressClass, service({}), pod('web-1', true), slice(true)],
      'ingress/front',
      'blocked',
      'class',
      'there is no IngressClass ngnx; there are: nginx',
    ],
    [
      'no class and no default',
      [ingress({ ingressClassName: undefined }), ingressClass, service({}), pod('web-1', true), slice(true)],
      'ingress/front',
      'blocked',
      'class',
      'none is the default',
    ],
    [
      'a backend that does not exist',
      [ingress({}), ingressClass, object('v1', 'Service', 'wen', { spec: { ports: [] } })],
      'ingress/front',
      'blocked',
      'backend',
      'there is no service web in default; near: wen',
    ],
    [
      'a backend port that does not exist',
      [ingress({}), ingressClass, service({ ports: [{ port: 81 }] }), pod('web-1', true), slice(true)],
      'ingress/front',
      'blocked',
      'backend port',
      'there is no port 80',
    ],
    [
      'a TLS secret that does not exist',
      [ingress({ tls: [{ secretName: 'cert' }] }), ingressClass, service({}), pod('web-1', true), slice(true)],
      'ingress/front',
      'unknown',
      'certificate',
      'absent',
    ],
    ['a pod that is not ready', [pod('web-1', false)], 'pod/web-1', 'blocked', 'pods', 'none of 1 ready'],
  ])('%s', async (_, objects, to, verdict, hop, words) => {
    const structured = await ask(objects, { to });
    expect(structured['verdict']).toBe(verdict);
    expect(hopOf(structured, hop)?.detail).toContain(words);
  });

  it('finds egress policies that forget the DNS', async () => {
    const policy = object('networking.k8s.io/v1', 'NetworkPolicy', 'out', {
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] },
    });
    const dns = {
      ...pod('coredns', true, { name: 'dns', containerPort: 53, protocol: 'UDP' }),
      metadata: { name: 'coredns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
    };
    const structured = await ask([service({}), pod('web-1', true), slice(true), policy, dns], { to: 'service/web', from: 'pod/web-1' });
    expect(hopOf(structured, 'source egress')?.result).toBe('ok');
    expect(hopOf(structured, 'names')).toMatchObject({ result: 'fail', ref: 'networkpolicy/out' });
  });
});
