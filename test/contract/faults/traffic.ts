// Faults on the way to a pod: services, ingresses, gateways, certificates.

import { createCertificate } from '../../../src/embedded/kubernetes/certificate.ts';
import { GET, NETWORK, type PlantedFault } from './fault.ts';
import { deployment, type Fields, labelsOf, object, type Planted, podName, service, slice, waiting } from './objects.ts';

const DAY = 1440;
const minutesFromNow = (minutes: number): number => Date.now() + minutes * 60_000;

const ports = { ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] };
/** A Deployment that works, with a Service that leads to it. */
export const working = (namespace: string, name: string, facts: object = {}): Planted[] => [
  ...deployment(namespace, name, { main: ports, ...facts }),
  service(namespace, name, labelsOf(name)),
  slice(namespace, name, [{ pod: podName(name), ready: true }]),
];

const ingress = (namespace: string, spec: Fields = {}): Planted =>
  object('Ingress', namespace, 'front', {
    spec: {
      ingressClassName: 'fault-nginx',
      rules: [
        {
          host: 'shop.example.test',
          http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
        },
      ],
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.80' }] } },
  });

const backend = (name: string, port: number): Fields => ({
  rules: [
    {
      host: 'shop.example.test',
      http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name, port: { number: port } } } }] },
    },
  ],
});

const route = (namespace: string, spec: Fields, status: Fields = {}): Planted =>
  object('HTTPRoute', namespace, 'front', {
    spec: {
      parentRefs: [{ name: 'public' }],
      hostnames: ['shop.example.test'],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
      ...spec,
    },
    status,
  });

const gateway = (namespace: string, programmed = 'True', more: Fields = {}): Planted =>
  object('Gateway', namespace, 'public', {
    spec: { gatewayClassName: 'fault', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
    status: {
      conditions: [
        { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
        {
          type: 'Programmed',
          status: programmed,
          reason: programmed === 'True' ? 'Programmed' : 'AddressNotAssigned',
          message: 'no address',
          ...more,
        },
      ],
    },
  });

/** The Gateway API, as far as the checks read it. */
export const gatewayDefinitions: readonly Planted[] = (
  [
    ['gateways', 'gateway', 'Gateway'],
    ['httproutes', 'httproute', 'HTTPRoute'],
  ] as const
).map(([plural, singular, kind]) =>
  object(
    'CustomResourceDefinition',
    '',
    `${plural}.gateway.networking.k8s.io`,
    {
      spec: {
        group: 'gateway.networking.k8s.io',
        scope: 'Namespaced',
        names: { plural, singular, kind, listKind: `${kind}List` },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    },
    { annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' } },
  ),
);

const tls = (namespace: string, name: string, from: number, to: number, host = 'shop.example.test'): Planted => {
  const { certificate, key } = createCertificate({
    seed: `${namespace}/${name}`,
    commonName: host,
    names: [host],
    notBefore: minutesFromNow(from),
    notAfter: minutesFromNow(to),
  });
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  return object('Secret', namespace, name, { type: 'kubernetes.io/tls', data: { 'tls.crt': encode(certificate), 'tls.key': encode(key) } });
};

const withTls = { tls: [{ hosts: ['shop.example.test'], secretName: 'shop-tls' }] };
const served = (namespace: string, secret: Planted): Planted[] => [...working(namespace, 'web'), ingress(namespace, withTls), secret];

export const TRAFFIC_FAULTS: readonly PlantedFault[] = [
  {
    name: 'service selects nothing',
    isLive: true,
    plant: (namespace) => [
      ...deployment(namespace, 'web', { main: ports }),
      service(namespace, 'web', labelsOf('wbe')),
      slice(namespace, 'web', []),
    ],
    expected: {
      ref: 'service/web',
      reason: 'SelectorMatchesNothing',
      severity: 'warning',
      check: 'services',
      field: 'spec.selector',
      value: 'app.kubernetes.io/name=wbe',
      detail: /near: pods with app.kubernetes.io\/name=web/,
      next: NETWORK,
    },
  },
  {
    name: 'target port name that no container has',
    isLive: true,
    plant: (namespace) => [
      ...deployment(namespace, 'web', { main: ports }),
      service(namespace, 'web', labelsOf('web'), { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'htp' }] }),
      slice(namespace, 'web', [{ pod: podName('web'), ready: true }]),
    ],
    expected: {
      ref: 'service/web',
      reason: 'TargetPortMissing',
      severity: 'critical',
      check: 'services',
      field: 'spec.ports[0].targetPort',
      value: 'htp',
      detail: /they declare http \(8080\); near: http/,
      next: NETWORK,
    },
  },
  {
    name: 'target port number that no container declares',
    isLive: true,
    plant: (namespace) => [
      ...deployment(namespace, 'web', { main: ports }),
      service(namespace, 'web', labelsOf('web'), { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8088 }] }),
      slice(namespace, 'web', [{ pod: podName('web'), ready: true }]),
    ],
    expected: {
      ref: 'service/web',
      reason: 'TargetPortUndeclared',
      severity: 'info',
      check: 'services',
      field: 'spec.ports[0].targetPort',
      value: '8088',
      next: NETWORK,
    },
  },
  {
    name: 'service without selector and endpoints',
    isLive: true,
    later: 15,
    plant: (namespace) => [service(namespace, 'legacy', undefined, { ports: [{ port: 5432, protocol: 'TCP', targetPort: 5432 }] })],
    expected: {
      ref: 'service/legacy',
      reason: 'NoSelectorNoEndpoints',
      severity: 'warning',
      check: 'services',
      field: 'spec.selector',
      value: 'none',
      next: NETWORK,
    },
  },
  {
    name: 'no endpoint is ready',
    plant: (namespace) => [
      ...deployment(namespace, 'web', {
        main: ports,
        pods: [{ ready: false, phase: 'Pending', state: waiting('ImagePullBackOff', 'Back-off pulling image') }],
      }),
      service(namespace, 'web', labelsOf('web')),
      slice(namespace, 'web', [{ pod: podName('web'), ready: false }]),
    ],
    // The service is evidence of the image: one fault, one problem.
    expected: {
      ref: 'deployment/web',
      reason: 'ImagePullBackOff',
      severity: 'critical',
      check: 'images',
      field: 'spec.template.spec.containers[?name=main].image',
      value: 'registry.example.test/shop/web:1.4.2',
      evidence: /service\/web: no ready endpoint/,
      next: GET,
    },
  },
  {
    name: 'load balancer never comes',
    isLive: true,
    later: 15,
    plant: (namespace) => [
      ...deployment(namespace, 'web', { main: ports }),
      service(namespace, 'web', labelsOf('web'), { more: { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' } }),
      slice(namespace, 'web', [{ pod: podName('web'), ready: true }]),
    ],
    expected: {
      ref: 'service/web',
      reason: 'LoadBalancerPending',
      severity: 'warning',
      check: 'services',
      field: 'status.loadBalancer.ingress',
      value: 'none',
      next: GET,
    },
  },
  {
    name: 'two deployments claim the same pods',
    plant: (namespace) => [
      ...deployment(namespace, 'web', { labels: { app: 'web' } }),
      ...deployment(namespace, 'web-canary', { labels: { app: 'web' }, more: {} }),
    ],
    expected: {
      ref: 'deployment/web',
      reason: 'SelectorOverlaps',
      severity: 'warning',
      check: 'selectors',
      field: 'spec.selector.matchLabels',
      value: 'app=web',
      next: GET,
    },
  },
  {
    name: 'ingress class is absent',
    isLive: true,
    plant: (namespace) => [...working(namespace, 'web'), ingress(namespace, { ingressClassName: 'fault-ngnx' })],
    expected: {
      ref: 'ingress/front',
      reason: 'ClassMissing',
      severity: 'critical',
      check: 'ingresses',
      field: 'spec.ingressClassName',
      value: 'fault-ngnx',
      next: NETWORK,
    },
  },
  {
    name: 'backend service is absent',
    isLive: true,
    plant: (namespace) => [...working(namespace, 'web'), ingress(namespace, backend('wep', 80))],
    expected: {
      ref: 'ingress/front',
      reason: 'BackendMissing',
      severity: 'critical',
      check: 'ingresses',
      field: 'spec.rules[0].http.paths[0].backend.service.name',
      value: 'wep',
      detail: /near: web/,
      next: NETWORK,
    },
  },
  {
    name: 'backend port is absent',
    isLive: true,
    plant: (namespace) => [...working(namespace, 'web'), ingress(namespace, backend('web', 8443))],
    expected: {
      ref: 'ingress/front',
      reason: 'BackendPortMissing',
      severity: 'critical',
      check: 'ingresses',
      field: 'spec.rules[0].http.paths[0].backend.service.port.number',
      value: '8443',
      next: NETWORK,
    },
  },
  {
    name: 'certificate secret is absent',
    isLive: true,
    plant: (namespace) => [...working(namespace, 'web'), ingress(namespace, withTls)],
    expected: {
      ref: 'ingress/front',
      reason: 'TlsSecretMissing',
      severity: 'warning',
      check: 'ingresses',
      field: 'spec.tls[0].secretName',
      value: 'shop-tls',
      next: NETWORK,
    },
  },
  {
    name: 'certificate has expired',
    isLive: true,
    plant: (namespace) => served(namespace, tls(namespace, 'shop-tls', -90 * DAY, -DAY)),
    expected: {
      ref: 'secret/shop-tls',
      reason: 'CertificateExpired',
      severity: 'critical',
      check: 'certificates',
      field: 'data["tls.crt"]',
      value: /^ends \d{4}-/,
      next: GET,
    },
  },
  {
    name: 'certificate expires soon',
    isLive: true,
    plant: (namespace) => served(namespace, tls(namespace, 'shop-tls', -84 * DAY, 6 * DAY)),
    expected: {
      ref: 'secret/shop-tls',
      reason: 'CertificateExpiring',
      severity: 'warning',
      check: 'certificates',
      field: 'data["tls.crt"]',
      value: /^ends \d{4}-/,
      evidence: /ingress\/front serves it for shop.example.test/,
      next: GET,
    },
  },
  {
    name: 'certificate for another host',
    isLive: true,
    plant: (namespace) => served(namespace, tls(namespace, 'shop-tls', -DAY, 80 * DAY, 'store.example.test')),
    expected: {
      ref: 'ingress/front',
      reason: 'CertificateWrongHost',
      severity: 'warning',
      check: 'certificates',
      field: 'spec.tls[0].hosts',
      value: 'shop.example.test',
      detail: /which is for store.example.test/,
      next: GET,
    },
  },
  {
    name: 'certificate cannot be read',
    plant: (namespace) =>
      served(
        namespace,
        object('Secret', namespace, 'shop-tls', { type: 'kubernetes.io/tls', data: { 'tls.crt': 'bm9uZQ==', 'tls.key': 'bm9uZQ==' } }),
      ),
    expected: {
      ref: 'secret/shop-tls',
      reason: 'CertificateUnreadable',
      severity: 'critical',
      check: 'certificates',
      field: 'data["tls.crt"]',
      value: 'no certificate',
      next: GET,
    },
  },
  {
    name: 'route of a gateway that is absent',
    plant: (namespace) => [...working(namespace, 'web'), gateway(namespace), route(namespace, { parentRefs: [{ name: 'publik' }] })],
    expected: {
      ref: 'httproute/front',
      reason: 'GatewayMissing',
      severity: 'critical',
      check: 'gateways',
      field: 'spec.parentRefs[0].name',
      value: 'publik',
      detail: /near: public/,
      next: NETWORK,
    },
  },
  {
    name: 'route to a service that is absent',
    plant: (namespace) => [
      ...working(namespace, 'web'),
      gateway(namespace),
      route(namespace, { rules: [{ backendRefs: [{ name: 'wep', port: 80 }] }] }),
    ],
    expected: {
      ref: 'httproute/front',
      reason: 'BackendMissing',
      severity: 'critical',
      check: 'gateways',
      field: 'spec.rules[0].backendRefs[0].name',
      value: 'wep',
      next: NETWORK,
    },
  },
  {
    name: 'gateway has no address',
    plant: (namespace) => [...working(namespace, 'web'), gateway(namespace, 'False')],
    expected: {
      ref: 'gateway/public',
      reason: 'AddressNotAssigned',
      severity: 'critical',
      check: 'gateways',
      field: 'status.conditions[?type=Programmed].status',
      value: 'False',
      next: GET,
    },
  },
];
