import { describe, expect, it } from 'vitest';
import { openShop } from '../../../../test/support/shop.ts';
import type { KubernetesObject } from '../../../embedded/kubernetes/index.ts';

const definition = (plural: string, kind: string, group = 'gateway.networking.k8s.io', version = 'v1'): KubernetesObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
  status: { conditions: [{ type: 'Established', status: 'True' }], acceptedNames: { plural, singular: kind.toLowerCase(), kind } },
});
const api = (kind: string, name: string, rest: Record<string, unknown>): KubernetesObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind,
  metadata: { name, namespace: 'default' },
  ...rest,
});
const core = (kind: string, name: string, rest: Record<string, unknown>, labels: Record<string, string> = {}): KubernetesObject => ({
  apiVersion: kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1',
  kind,
  metadata: { name, namespace: 'default', labels },
  ...rest,
});

const backend: KubernetesObject[] = [
  core('Service', 'web', { spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] } }),
  core(
    'Pod',
    'web-1',
    { spec: { containers: [{ name: 'main', image: 'x', ports: [{ containerPort: 8080 }] }] }, status: { phase: 'Running' } },
    { app: 'web' },
  ),
  core(
    'EndpointSlice',
    'web-1',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }], ports: [] },
    { 'kubernetes.io/service-name': 'web' },
  ),
];
const route = (accepted: 'True' | 'False', name = 'web') =>
  api('HTTPRoute', 'front', {
    spec: {
      hostnames: ['a.example.com'],
      parentRefs: [{ name: 'edge' }],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ name, port: 80 }] }],
    },
    status: {
      parents: [
        {
          parentRef: { name: 'edge' },
          conditions: [{ type: 'Accepted', status: accepted, reason: 'NotAllowedByListeners', message: 'no listener' }],
        },
      ],
    },
  });
const gateway = (programmed: 'True' | 'False') =>
  api('Gateway', 'edge', {
    spec: { gatewayClassName: 'x' },
    status: { conditions: [{ type: 'Programmed', status: programmed, reason: 'Invalid' }] },
  });
const kinds = [definition('httproutes', 'HTTPRoute'), definition('gateways', 'Gateway')];

const ask = async (objects: readonly KubernetesObject[], args: Readonly<Record<string, unknown>>) => {
  const shop = await openShop({ objects });
  try {
    return (await shop.call('kubernetes_check_network', { namespace: 'default', ...args })).structured;
  } finally {
    await shop.close();
  }
};

describe('routes of the Gateway API', () => {
  it.each<[string, KubernetesObject[], string, string]>([
    ['a route that works', [gateway('True'), route('True'), ...backend], 'reachable', 'a.example.com/ to port 80: endpoints 1 of 1 ready'],
    ['a gateway that is absent', [route('True'), ...backend], 'blocked', 'there is no gateway edge in default'],
    ['a gateway that is not programmed', [gateway('False'), route('True'), ...backend], 'blocked', 'not programmed: Invalid'],
    [
      'a route that the gateway refuses',
      [gateway('True'), route('False'), ...backend],
      'blocked',
      'Accepted is False: NotAllowedByListeners no listener',
    ],
    [
      'a backend that does not exist',
      [gateway('True'), route('True', 'wed'), ...backend],
      'blocked',
      'there is no service wed in default; near: web',
    ],
  ])('%s', async (_, objects, verdict, words) => {
    const structured = await ask([...kinds, ...objects], { to: 'httproute/front' });
    expect(structured['verdict']).toBe(verdict);
    expect(JSON.stringify(structured['path'])).toContain(words);
  });
});

describe('policies of other kinds', () => {
  it('names them as not evaluated, and decides nothing', async () => {
    const cilium = definition('ciliumnetworkpolicies', 'CiliumNetworkPolicy', 'cilium.io', 'v2');
    const policy = { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'p', namespace: 'default' }, spec: {} };
    const structured = await ask([cilium, policy, ...backend], { to: 'service/web' });
    expect(structured['verdict']).toBe('unknown');
    expect(JSON.stringify(structured['path'])).toContain('not evaluated here, and may refuse it: 1 ciliumnetworkpolicies.cilium.io');
    expect((await ask([cilium, ...backend], { to: 'service/web' }))['verdict']).toBe('reachable');
  });
});
