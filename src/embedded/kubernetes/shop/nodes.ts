// The four nodes with their leases, and the namespaces.
import { DAY, hexOf, MINUTE, NODES, SECOND, type Shop, type ShopNode, STORY, uuidOf } from '../../shop.ts';
import { createCertificate } from '../certificate.ts';
import { type JsonObject, toMicroTime, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { imageIdOf } from '../pod-status.ts';
import { CLUSTER_AGE } from './app.ts';
import { PLATFORM_APPS } from './apps-platform.ts';
import { stamped, uidOf, withManager } from './stamp.ts';

const KUBELET_VERSION = 'v1.36.1';

/** Where a node stands; pods that are bound to it say so too. */
export const topologyOf = ({ zone }: ShopNode): Record<string, string> => ({
  'topology.kubernetes.io/region': 'demo-region',
  'topology.kubernetes.io/zone': zone,
});

const condition = (type: string, isTrue: boolean, heartbeat: number, since: number, reason: string, message: string): JsonObject => ({
  type,
  status: isTrue ? 'True' : 'False',
  lastHeartbeatTime: toTime(heartbeat),
  lastTransitionTime: toTime(since),
  reason,
  message,
});

const conditionsOf = (shop: Shop, node: ShopNode, bornAt: number): JsonObject[] => {
  const heartbeat = shop.before(97 * SECOND);
  const diskSince = node.name === 'node-3' ? shop.before(STORY.diskPressureEnd) : bornAt;
  return [
    condition('MemoryPressure', false, heartbeat, bornAt, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', false, heartbeat, diskSince, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', false, heartbeat, bornAt, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    condition('Ready', true, heartbeat, bornAt + 20 * SECOND, 'KubeletReady', 'kubelet is posting ready status'),
  ];
};

const IMAGES: readonly string[] = [...new Set(PLATFORM_APPS.flatMap(({ containers }) => containers.map(({ image }) => image)))];

const statusOf = (shop: Shop, node: ShopNode, bornAt: number): JsonObject => ({
  capacity: { cpu: '4', 'ephemeral-storage': '103079844Ki', 'hugepages-2Mi': '0', memory: '16Gi', pods: '110' },
  allocatable: { cpu: '3920m', 'ephemeral-storage': '94998384130', 'hugepages-2Mi': '0', memory: '15Gi', pods: '110' },
  conditions: conditionsOf(shop, node, bornAt),
  addresses: [
    { type: 'InternalIP', address: node.address },
    { type: 'Hostname', address: node.name },
  ],
  daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  nodeInfo: {
    machineID: hexOf(`machine/${node.name}`, 32),
    systemUUID: uuidOf(`system/${node.name}`),
    bootID: uuidOf(`boot/${node.name}`),
    kernelVersion: '6.12.41+deb13-cloud-amd64',
    osImage: 'Debian GNU/Linux 13 (trixie)',
    containerRuntimeVersion: 'containerd://2.1.4',
    kubeletVersion: KUBELET_VERSION,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
  images: IMAGES.slice(0, 12).map((image, index) => ({ names: [imageIdOf(image), image], sizeBytes: 180_000_000 - index * 11_250_000 })),
  runtimeHandlers: [{ name: 'runc', features: { recursiveReadOnlyMounts: true, userNamespaces: true } }],
  features: { supplementalGroupsPolicy: true },
});

const nodeObject = (shop: Shop, node: ShopNode, index: number): KubernetesObject => {
  const bornAt = shop.before(CLUSTER_AGE) + index * 2 * MINUTE;
  const plain: KubernetesObject = {
    kind: 'Node',
    apiVersion: 'v1',
    metadata: {
      name: node.name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        disk: index < 2 ? 'hdd' : 'ssd',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        ...topologyOf(node),
      },
      annotations: {
        'csi.volume.kubernetes.io/nodeid': `{"hostpath.csi.k8s.io":"${node.name}"}`,
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: { podCIDR: `${node.podNetwork}.0/24`, podCIDRs: [`${node.podNetwork}.0/24`] },
  };
  const status = statusOf(shop, node, bornAt);
  const object = stamped(shop, plain, { createdAt: bornAt, manager: 'kubelet', status });
  const time = toTime(shop.before(97 * SECOND));
  return withManager(
    object,
    toManagedFields({ status }, { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', kind: 'Node', time, subresource: 'status' }),
  );
};

const lease = (
  shop: Shop,
  name: string,
  namespace: string,
  holder: string,
  seconds: number,
  renewed: number,
  rest: JsonObject = {},
): KubernetesObject =>
  stamped(
    shop,
    {
      kind: 'Lease',
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { name, namespace },
      spec: { holderIdentity: holder, leaseDurationSeconds: seconds, ...rest, renewTime: toMicroTime(shop.before(renewed)) },
    },
    { createdAt: shop.before(CLUSTER_AGE), manager: namespace === 'kube-node-lease' ? 'kubelet' : name, writtenAt: shop.before(renewed) },
  );

const csiNode = (shop: Shop, node: ShopNode): KubernetesObject =>
  stamped(
    shop,
    {
      kind: 'CSINode',
      apiVersion: 'storage.k8s.io/v1',
      metadata: { name: node.name },
      spec: { drivers: [{ name: 'hostpath.csi.k8s.io', nodeID: node.name, topologyKeys: null }] },
    },
    { createdAt: shop.before(CLUSTER_AGE), manager: 'kubelet' },
  );

const NAMESPACES: readonly { readonly name: string; readonly age: number; readonly labels?: Record<string, string> }[] = [
  { name: 'shop', age: 110 * DAY, labels: { team: 'shop', 'pod-security.kubernetes.io/enforce': 'baseline' } },
  { name: 'data', age: 112 * DAY, labels: { team: 'data' } },
  { name: 'observability', age: 98 * DAY, labels: { team: 'platform' } },
  { name: 'ingress', age: 111 * DAY, labels: { team: 'platform' } },
];

const ROOT_NOTE =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** What the controllers put into every namespace. */
const namespaceFurniture = (
  shop: Shop,
  authority: string,
  namespace: string,
  createdAt: number,
  hasAccount: boolean,
): KubernetesObject[] => {
  const account: KubernetesObject = { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'default', namespace } };
  const root: KubernetesObject = {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'kube-root-ca.crt', namespace, annotations: { 'kubernetes.io/description': ROOT_NOTE } },
    data: { 'ca.crt': authority },
  };
  const stamp = { createdAt, manager: 'kube-controller-manager' };
  return [...(hasAccount ? [stamped(shop, account, stamp)] : []), stamped(shop, root, stamp)];
};

export const nodeObjects = (shop: Shop): KubernetesObject[] => {
  const holder = `demo-control-plane_${uidOf(shop, 'Lease', 'kube-system', 'holder')}`;
  const leader = { acquireTime: toMicroTime(shop.before(CLUSTER_AGE)), leaseTransitions: 2 };
  return [
    ...NODES.map((node, index) => nodeObject(shop, node, index)),
    ...NODES.map((node) => csiNode(shop, node)),
    ...NODES.map((node, index) => lease(shop, node.name, 'kube-node-lease', node.name, 40, (2 + index) * SECOND)),
    lease(shop, 'kube-controller-manager', 'kube-system', holder, 15, SECOND, leader),
    lease(shop, 'kube-scheduler', 'kube-system', holder, 15, SECOND, leader),
  ];
};

export const namespaceObjects = (shop: Shop): KubernetesObject[] => {
  const bornAt = shop.before(CLUSTER_AGE);
  const { certificate: authority } = createCertificate({
    seed: `${shop.seed}/authority`,
    commonName: 'kubernetes',
    names: ['kubernetes'],
    notBefore: bornAt,
    notAfter: bornAt + 3650 * DAY,
    isAuthority: true,
  });
  const own = NAMESPACES.flatMap(({ name, age, labels }) => {
    const createdAt = shop.before(age);
    const plain: KubernetesObject = {
      kind: 'Namespace',
      apiVersion: 'v1',
      metadata: { name, ...(labels === undefined ? {} : { labels }) },
    };
    return [
      stamped(shop, plain, { createdAt, manager: 'kubectl-create', status: { phase: 'Active' } }),
      ...namespaceFurniture(shop, authority, name, createdAt, true),
    ];
  });
  const old = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
  return [...own, ...old.flatMap((name) => namespaceFurniture(shop, authority, name, shop.before(CLUSTER_AGE), false))];
};
