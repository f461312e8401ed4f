// Faults that show only on the way from one object to another: policies, and the hop where the way of a Service ends.

import { toNamespace } from './index.ts';
import { deployment, labelsOf, object, type Planted, service, slice } from './objects.ts';
import { working } from './traffic.ts';

export interface NetworkFault {
  readonly name: string;
  readonly namespace: string;
  readonly to: string;
  readonly from?: string;
  /** Where it stops, and what is said there. */
  readonly hop: RegExp;
  readonly detail: RegExp;
  readonly fix?: RegExp;
  readonly plant: (namespace: string) => readonly Planted[];
}

const policy = (namespace: string, name: string, spec: object): Planted => object('NetworkPolicy', namespace, name, { spec });
const both = (namespace: string): Planted[] => [...working(namespace, 'web'), ...working(namespace, 'shop')];

const fault = (name: string, given: Omit<NetworkFault, 'name' | 'namespace'>): NetworkFault => ({
  name,
  namespace: `way-${name.replaceAll(' ', '-')}`,
  ...given,
});

export const NETWORK_FAULTS: readonly NetworkFault[] = [
  fault('a policy lets nobody in', {
    to: 'service/web',
    from: 'deployment/shop',
    hop: /ingress/,
    detail: /deny-all/,
    plant: (namespace) => [...both(namespace), policy(namespace, 'deny-all', { podSelector: {}, policyTypes: ['Ingress'] })],
  }),
  fault('a policy lets others in', {
    to: 'service/web',
    from: 'deployment/shop',
    hop: /ingress/,
    detail: /only-gateway/,
    plant: (namespace) => [
      ...both(namespace),
      policy(namespace, 'only-gateway', {
        podSelector: { matchLabels: labelsOf('web') },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: labelsOf('gateway') } }] }],
      }),
    ],
  }),
  fault('a policy lets another port in', {
    to: 'service/web',
    from: 'deployment/shop',
    hop: /ingress/,
    detail: /only-metrics/,
    plant: (namespace) => [
      ...both(namespace),
      policy(namespace, 'only-metrics', {
        podSelector: { matchLabels: labelsOf('web') },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP', port: 9102 }] }],
      }),
    ],
  }),
  fault('a policy lets nobody out', {
    to: 'service/web',
    from: 'deployment/shop',
    hop: /egress/,
    detail: /no-way-out/,
    plant: (namespace) => [
      ...both(namespace),
      policy(namespace, 'no-way-out', { podSelector: { matchLabels: labelsOf('shop') }, policyTypes: ['Egress'], egress: [] }),
    ],
  }),
  fault('a selector matches nothing', {
    to: 'service/web',
    hop: /selector/,
    detail: /near: pods with app.kubernetes.io\/name=web/,
    fix: /selector of service\/web/,
    plant: (namespace) => [...deployment(namespace, 'web'), service(namespace, 'web', labelsOf('wbe')), slice(namespace, 'web', [])],
  }),
  fault('a target port has no container', {
    to: 'service/web',
    hop: /target port/,
    detail: /no TCP port named htp/,
    plant: (namespace) => [
      ...working(namespace, 'other'),
      ...deployment(namespace, 'web', { main: { ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] } }),
      service(namespace, 'web', labelsOf('web'), { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'htp' }] }),
      slice(namespace, 'web', [{ ready: true }]),
    ],
  }),
];

export const plantNetwork = (): readonly Planted[] =>
  NETWORK_FAULTS.flatMap(({ namespace, plant }) => [toNamespace(namespace), ...plant(namespace)]);
