// Addresses of Services, the slices and Endpoints behind them, the way in, and the network policies.
import { CERTIFICATE_ENDS_AFTER, DAY, NODES, SECOND, type Shop, suffixOf } from '../../shop.ts';
import { createCertificate } from '../certificate.ts';
import { type JsonObject, objectAt, objectsAt, textAt, textsAt, timeAt, toTime } from '../json.ts';
import { hasLabels } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { CLUSTER_AGE } from './app.ts';
import { stamped } from './stamp.ts';

const CONTROLLER = 'kube-controller-manager';
const BALANCER_ADDRESS = '203.0.113.10';

const FIXED_ADDRESSES: Readonly<Record<string, string>> = { 'kube-system/kube-dns': '10.96.0.10', 'default/kubernetes': '10.96.0.1' };

/** Gives each Service its cluster address, and the load balancer its own. */
export const withAddresses = (services: readonly KubernetesObject[]): KubernetesObject[] =>
  services.map((service, index) => {
    const { name, namespace } = service.metadata;
    const spec = objectAt(service, 'spec');
    const clusterIP =
      spec['clusterIP'] === 'None'
        ? 'None'
        : (FIXED_ADDRESSES[`${namespace}/${name}`] ?? `10.96.${20 + Math.floor(index / 8)}.${11 + (index % 8) * 29}`);
    const isBalancer = spec['type'] === 'LoadBalancer';
    const ports = objectsAt(spec, 'ports').map((port, place) => (isBalancer ? { ...port, nodePort: 31_080 + place * 363 } : port));
    const status = { loadBalancer: isBalancer ? { ingress: [{ ip: BALANCER_ADDRESS, ipMode: 'VIP' }] } : {} };
    return { ...service, spec: { ...spec, ports, clusterIP, clusterIPs: [clusterIP] }, status };
  });

interface Backend {
  readonly pod: KubernetesObject;
  readonly isReady: boolean;
}

const isReadyPod = (pod: KubernetesObject): boolean =>
  objectsAt(pod, 'status', 'conditions').some((condition) => condition['type'] === 'Ready' && condition['status'] === 'True');

/** The pods behind a Service that have an address; ended ones do not count. */
export const backendsOf = (service: KubernetesObject, pods: readonly KubernetesObject[]): Backend[] => {
  const selector = textsAt(service, 'spec', 'selector');
  if (Object.keys(selector).length === 0) return [];
  return pods
    .filter((pod) => pod.metadata.namespace === service.metadata.namespace && hasLabels(pod.metadata.labels ?? {}, selector))
    .filter((pod) => textAt(pod, 'status', 'podIP') !== '' && !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase')))
    .map((pod) => ({ pod, isReady: isReadyPod(pod) && pod.metadata.deletionTimestamp === undefined }));
};

const portNumber = (pod: KubernetesObject, target: unknown, fallback: number): number => {
  if (typeof target === 'number') return target;
  const containers = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  const port = containers.flatMap((container) => objectsAt(container, 'ports')).find((candidate) => candidate['name'] === target);
  const number = port?.['containerPort'];
  return typeof number === 'number' ? number : fallback;
};

/** The ports of a Service as its pods serve them. */
export const portsOf = (service: KubernetesObject, pod: KubernetesObject | undefined): JsonObject[] =>
  objectsAt(service, 'spec', 'ports').map((port) => {
    const own = typeof port['port'] === 'number' ? port['port'] : 0;
    const number = pod === undefined ? own : portNumber(pod, port['targetPort'], own);
    return { name: textAt(port, 'name'), port: number, protocol: textAt(port, 'protocol') || 'TCP' };
  });

const targetRef = ({ metadata }: KubernetesObject): JsonObject => ({
  kind: 'Pod',
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  uid: metadata.uid ?? '',
});

const zoneOf = (node: string): string => NODES.find(({ name }) => name === node)?.zone ?? '';

export const toEndpoint = ({ pod, isReady }: Backend): JsonObject => {
  const nodeName = textAt(pod, 'spec', 'nodeName');
  return {
    addresses: [textAt(pod, 'status', 'podIP')],
    conditions: { ready: isReady, serving: isReady, terminating: pod.metadata.deletionTimestamp !== undefined },
    targetRef: targetRef(pod),
    nodeName,
    zone: zoneOf(nodeName),
  };
};

/** A backend as the older Endpoints name it. */
export const toEndpointAddress = ({ pod }: Backend): JsonObject => ({
  ip: textAt(pod, 'status', 'podIP'),
  nodeName: textAt(pod, 'spec', 'nodeName'),
  targetRef: targetRef(pod),
});

const lastChange = (service: KubernetesObject, backends: readonly Backend[]): number => {
  const times = backends.flatMap(({ pod }) =>
    objectsAt(pod, 'status', 'conditions')
      .filter(({ type }) => type === 'Ready')
      .map((condition) => timeAt(condition, 'lastTransitionTime') ?? 0),
  );
  return Math.max(timeAt(service, 'metadata', 'creationTimestamp') ?? 0, ...times);
};

const sliceOf = (shop: Shop, service: KubernetesObject, backends: readonly Backend[]): KubernetesObject => {
  const { name, namespace = '', labels = {} } = service.metadata;
  const isHeadless = textAt(service, 'spec', 'clusterIP') === 'None';
  const writtenAt = lastChange(service, backends);
  const plain: KubernetesObject = {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata: {
      name: `${name}-${suffixOf(`${shop.seed}/slice/${namespace}/${name}`)}`,
      namespace,
      labels: {
        ...labels,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'kubernetes.io/service-name': name,
        ...(isHeadless ? { 'service.kubernetes.io/headless': '' } : {}),
      },
    },
    addressType: 'IPv4',
    endpoints: backends.map(toEndpoint),
    ports: portsOf(service, backends[0]?.pod),
  };
  return stamped(shop, plain, {
    createdAt: timeAt(service, 'metadata', 'creationTimestamp') ?? 0,
    generation: 1,
    manager: CONTROLLER,
    writtenAt,
    owner: service,
    generateName: `${name}-`,
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': toTime(writtenAt) },
  });
};

const endpointsOf = (shop: Shop, service: KubernetesObject, backends: readonly Backend[]): KubernetesObject => {
  const { name, namespace = '', labels = {} } = service.metadata;
  const ready = backends.filter(({ isReady }) => isReady).map(toEndpointAddress);
  const unready = backends.filter(({ isReady }) => !isReady).map(toEndpointAddress);
  const subset = {
    ...(ready.length === 0 ? {} : { addresses: ready }),
    ...(unready.length === 0 ? {} : { notReadyAddresses: unready }),
    ports: portsOf(service, backends[0]?.pod),
  };
  const writtenAt = lastChange(service, backends);
  return stamped(
    shop,
    {
      kind: 'Endpoints',
      apiVersion: 'v1',
      metadata: { name, namespace, labels: { ...labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
      ...(backends.length === 0 ? {} : { subsets: [subset] }),
    },
    {
      createdAt: timeAt(service, 'metadata', 'creationTimestamp') ?? 0,
      manager: CONTROLLER,
      writtenAt,
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': toTime(writtenAt) },
    },
  );
};

const addressOf = (shop: Shop, service: KubernetesObject): KubernetesObject[] => {
  const clusterIP = textAt(service, 'spec', 'clusterIP');
  if (clusterIP === '' || clusterIP === 'None') return [];
  const { name, namespace = '' } = service.metadata;
  const plain: KubernetesObject = {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: clusterIP,
      labels: { 'ipaddress.kubernetes.io/ip-family': 'IPv4', 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' },
    },
    spec: { parentRef: { resource: 'services', namespace, name } },
  };
  return [
    stamped(shop, plain, { createdAt: timeAt(service, 'metadata', 'creationTimestamp') ?? 0, generation: 1, manager: 'kube-apiserver' }),
  ];
};

/** Slices, Endpoints and addresses of the Services, given the pods. */
export const serviceObjects = (shop: Shop, services: readonly KubernetesObject[], pods: readonly KubernetesObject[]): KubernetesObject[] =>
  services.flatMap((service) => {
    const backends = backendsOf(service, pods);
    return [sliceOf(shop, service, backends), endpointsOf(shop, service, backends), ...addressOf(shop, service)];
  });

/** `kubernetes` in `default`: the API server itself, which has no pod here. */
export const apiServerObjects = (shop: Shop): KubernetesObject[] => {
  const createdAt = shop.before(CLUSTER_AGE);
  const stamp = { createdAt, manager: 'kube-apiserver' };
  const [service] = withAddresses([
    stamped(
      shop,
      {
        kind: 'Service',
        apiVersion: 'v1',
        metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
        spec: { ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }] },
      },
      stamp,
    ),
  ]);
  if (service === undefined) return [];
  const ports = [{ name: 'https', port: 6443, protocol: 'TCP' }];
  const slice = {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.5'], conditions: { ready: true } }],
    ports,
  };
  const endpoints = {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: '10.0.0.5' }], ports }],
  };
  return [service, stamped(shop, slice, { ...stamp, generation: 1 }), stamped(shop, endpoints, stamp), ...addressOf(shop, service)];
};

const INGRESS_HOST = 'shop.example.com';

const path = (route: string, service: string): JsonObject => ({
  path: route,
  pathType: 'Prefix',
  backend: { service: { name: service, port: { name: 'http' } } },
});

/** The Ingress `shop`, its class, and its certificate that ends in six days. */
export const ingressObjects = (shop: Shop): KubernetesObject[] => {
  const issuedAt = shop.startedAt + CERTIFICATE_ENDS_AFTER - 90 * DAY;
  const { certificate, key } = createCertificate({
    seed: `${shop.seed}/${INGRESS_HOST}`,
    commonName: INGRESS_HOST,
    names: [INGRESS_HOST, `www.${INGRESS_HOST}`],
    notBefore: issuedAt,
    notAfter: shop.startedAt + CERTIFICATE_ENDS_AFTER,
  });
  const data = { 'tls.crt': Buffer.from(certificate).toString('base64'), 'tls.key': Buffer.from(key).toString('base64') };
  const ingress: KubernetesObject = {
    kind: 'Ingress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: { name: 'shop', namespace: 'shop', labels: { 'app.kubernetes.io/part-of': 'shop' } },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts: [INGRESS_HOST, `www.${INGRESS_HOST}`], secretName: 'shop-tls' }],
      rules: [{ host: INGRESS_HOST, http: { paths: [path('/api/cart', 'cart'), path('/api/checkout', 'checkout'), path('/', 'web')] } }],
    },
  };
  const ingressClass: KubernetesObject = {
    kind: 'IngressClass',
    apiVersion: 'networking.k8s.io/v1',
    metadata: { name: 'nginx', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
    spec: { controller: 'k8s.io/ingress-nginx' },
  };
  const secret: KubernetesObject = {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name: 'shop-tls', namespace: 'shop' },
    data,
    type: 'kubernetes.io/tls',
  };
  const createdAt = shop.before(109 * DAY);
  return [
    stamped(shop, ingressClass, { createdAt: shop.before(111 * DAY), generation: 1, manager: 'helm' }),
    stamped(shop, secret, { createdAt: issuedAt + 30 * SECOND, manager: 'kubectl-create' }),
    stamped(shop, ingress, {
      createdAt,
      generation: 1,
      manager: 'kubectl-client-side-apply',
      status: { loadBalancer: { ingress: [{ ip: BALANCER_ADDRESS }] } },
      statusManager: 'nginx-ingress-controller',
      statusAt: createdAt + 40 * SECOND,
    }),
  ];
};

const app = (name: string): JsonObject => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });
const space = (name: string): JsonObject => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });

const policy = (namespace: string, name: string, target: string, from: JsonObject[], ports: number[]): KubernetesObject => ({
  kind: 'NetworkPolicy',
  apiVersion: 'networking.k8s.io/v1',
  metadata: { name, namespace },
  spec: {
    podSelector: { matchLabels: { 'app.kubernetes.io/name': target } },
    ingress: [{ ports: ports.map((port) => ({ port })), from }],
    policyTypes: ['Ingress'],
  },
});

export const policyObjects = (shop: Shop): KubernetesObject[] => {
  const denyAll: KubernetesObject = {
    kind: 'NetworkPolicy',
    apiVersion: 'networking.k8s.io/v1',
    metadata: { name: 'default-deny', namespace: 'shop' },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  };
  const scrape = space('observability');
  const policies = [
    denyAll,
    policy('shop', 'allow-web', 'web', [space('ingress'), scrape], [8080, 9113]),
    policy('shop', 'allow-cart', 'cart', [space('ingress'), app('web'), app('checkout'), scrape], [8080]),
    policy('shop', 'allow-checkout', 'checkout', [space('ingress'), app('web'), scrape], [8080]),
    policy('shop', 'allow-payment', 'payment', [app('checkout'), scrape], [8080]),
    policy('shop', 'allow-catalog', 'catalog', [app('web'), app('recommendation'), scrape], [8080]),
    policy('shop', 'allow-recommendation', 'recommendation', [app('web'), scrape], [8080]),
    policy('shop', 'allow-email', 'email', [scrape], [8080]),
    policy('data', 'allow-postgres', 'postgres', [space('shop'), scrape], [5432, 9187]),
    policy('data', 'allow-redis', 'redis', [space('shop'), scrape], [6379, 9121]),
  ];
  return policies.map((object) =>
    stamped(shop, object, { createdAt: shop.before(101 * DAY), generation: 1, manager: 'kubectl-client-side-apply' }),
  );
};
