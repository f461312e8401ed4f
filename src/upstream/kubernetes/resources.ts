// Where a kind lives in the API. The built-in kinds that tools read by themselves are known here, so that they cost no discovery.

/** Enough to address objects of a kind. */
export interface ResourceRef {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const core = (kind: string, plural: string, namespaced = true): ResourceRef => ({ group: '', version: 'v1', kind, plural, namespaced });
const other = (group: string, kind: string, plural: string, { version = 'v1', namespaced = true } = {}): ResourceRef => ({
  group,
  version,
  kind,
  plural,
  namespaced,
});
const RBAC = 'rbac.authorization.k8s.io';

/** Kinds of every supported release (1.28 and later), by plural. */
export const RESOURCES = {
  configmaps: core('ConfigMap', 'configmaps'),
  endpoints: core('Endpoints', 'endpoints'),
  limitranges: core('LimitRange', 'limitranges'),
  namespaces: core('Namespace', 'namespaces', false),
  nodes: core('Node', 'nodes', false),
  persistentvolumeclaims: core('PersistentVolumeClaim', 'persistentvolumeclaims'),
  persistentvolumes: core('PersistentVolume', 'persistentvolumes', false),
  pods: core('Pod', 'pods'),
  replicationcontrollers: core('ReplicationController', 'replicationcontrollers'),
  resourcequotas: core('ResourceQuota', 'resourcequotas'),
  secrets: core('Secret', 'secrets'),
  serviceaccounts: core('ServiceAccount', 'serviceaccounts'),
  services: core('Service', 'services'),
  controllerrevisions: other('apps', 'ControllerRevision', 'controllerrevisions'),
  daemonsets: other('apps', 'DaemonSet', 'daemonsets'),
  deployments: other('apps', 'Deployment', 'deployments'),
  replicasets: other('apps', 'ReplicaSet', 'replicasets'),
  statefulsets: other('apps', 'StatefulSet', 'statefulsets'),
  horizontalpodautoscalers: other('autoscaling', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', { version: 'v2' }),
  cronjobs: other('batch', 'CronJob', 'cronjobs'),
  jobs: other('batch', 'Job', 'jobs'),
  endpointslices: other('discovery.k8s.io', 'EndpointSlice', 'endpointslices'),
  events: other('events.k8s.io', 'Event', 'events'),
  ingressclasses: other('networking.k8s.io', 'IngressClass', 'ingressclasses', { namespaced: false }),
  ingresses: other('networking.k8s.io', 'Ingress', 'ingresses'),
  networkpolicies: other('networking.k8s.io', 'NetworkPolicy', 'networkpolicies'),
  poddisruptionbudgets: other('policy', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  clusterrolebindings: other(RBAC, 'ClusterRoleBinding', 'clusterrolebindings', { namespaced: false }),
  clusterroles: other(RBAC, 'ClusterRole', 'clusterroles', { namespaced: false }),
  rolebindings: other(RBAC, 'RoleBinding', 'rolebindings'),
  roles: other(RBAC, 'Role', 'roles'),
  priorityclasses: other('scheduling.k8s.io', 'PriorityClass', 'priorityclasses', { namespaced: false }),
  storageclasses: other('storage.k8s.io', 'StorageClass', 'storageclasses', { namespaced: false }),
  volumeattachments: other('storage.k8s.io', 'VolumeAttachment', 'volumeattachments', { namespaced: false }),
  mutatingwebhookconfigurations: other('admissionregistration.k8s.io', 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', {
    namespaced: false,
  }),
  validatingwebhookconfigurations: other(
    'admissionregistration.k8s.io',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    { namespaced: false },
  ),
  customresourcedefinitions: other('apiextensions.k8s.io', 'CustomResourceDefinition', 'customresourcedefinitions', { namespaced: false }),
  apiservices: other('apiregistration.k8s.io', 'APIService', 'apiservices', { namespaced: false }),
} as const satisfies Record<string, ResourceRef>;

/** Kinds of add-ons that tools know, where discovery shows them. */
export const ADD_ONS = {
  gateways: other('gateway.networking.k8s.io', 'Gateway', 'gateways'),
  httproutes: other('gateway.networking.k8s.io', 'HTTPRoute', 'httproutes'),
} as const satisfies Record<string, ResourceRef>;

/** `v1`, `apps/v1`. */
export const apiVersionOf = ({ group, version }: { readonly group: string; readonly version: string }): string =>
  group === '' ? version : `${group}/${version}`;

/** `pods`, `deployments.apps`: as people and error messages write it. */
export const resourceName = ({ group, plural }: { readonly group: string; readonly plural: string }): string =>
  group === '' ? plural : `${plural}.${group}`;
