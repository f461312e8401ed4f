// Who may do what in the demo: viewer reads all but Secrets, operator also changes things in `shop`, admin is a member of system:masters.
import { DAY, type Shop } from '../../shop.ts';
import type { JsonObject } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { stamped } from './stamp.ts';

const GROUP = 'rbac.authorization.k8s.io';

const role = (kind: string, name: string, namespace: string | undefined, rules: JsonObject[]): KubernetesObject => ({
  kind,
  apiVersion: `${GROUP}/v1`,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules,
});

const binding = (
  name: string,
  namespace: string | undefined,
  roleRef: { kind: string; name: string },
  subjects: JsonObject[],
): KubernetesObject => ({
  kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
  apiVersion: `${GROUP}/v1`,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  subjects,
  roleRef: { apiGroup: GROUP, ...roleRef },
});

const group = (name: string): JsonObject => ({ kind: 'Group', apiGroup: GROUP, name });
const user = (name: string): JsonObject => ({ kind: 'User', apiGroup: GROUP, name });
const account = (name: string, namespace: string): JsonObject => ({ kind: 'ServiceAccount', name, namespace });

const READ = ['get', 'list', 'watch'];

/** What the built-in role `view` leaves out: cluster-wide kinds, roles, usage, and the proxies for reading. */
const READER_RULES: JsonObject[] = [
  { verbs: READ, apiGroups: [''], resources: ['nodes', 'persistentvolumes', 'namespaces', 'events'] },
  { verbs: ['get'], apiGroups: [''], resources: ['nodes/proxy', 'pods/proxy', 'services/proxy'] },
  { verbs: READ, apiGroups: ['events.k8s.io'], resources: ['events'] },
  { verbs: READ, apiGroups: ['storage.k8s.io', 'scheduling.k8s.io', 'coordination.k8s.io', 'node.k8s.io'], resources: ['*'] },
  { verbs: READ, apiGroups: ['networking.k8s.io'], resources: ['ingressclasses'] },
  {
    verbs: READ,
    apiGroups: ['rbac.authorization.k8s.io', 'admissionregistration.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io'],
    resources: ['*'],
  },
  { verbs: READ, apiGroups: ['metrics.k8s.io'], resources: ['nodes', 'pods'] },
  { verbs: READ, apiGroups: ['shop.example.com'], resources: ['*'] },
  { verbs: ['get'], nonResourceURLs: ['/metrics'] },
];

const METRICS_RULES: JsonObject[] = [
  { verbs: ['get'], apiGroups: [''], resources: ['nodes/metrics'] },
  { verbs: READ, apiGroups: [''], resources: ['pods', 'nodes'] },
];

export const accessObjects = (shop: Shop): KubernetesObject[] => {
  const everyone = [group('demo:viewers'), group('demo:operators')];
  const objects = [
    role('ClusterRole', 'demo-reader', undefined, READER_RULES),
    role('ClusterRole', 'system:metrics-server', undefined, METRICS_RULES),
    role('Role', 'deploy-bot', 'shop', [
      { verbs: ['*'], apiGroups: ['', 'apps', 'batch', 'autoscaling', 'policy', 'networking.k8s.io'], resources: ['*'] },
    ]),
    binding('demo-view', undefined, { kind: 'ClusterRole', name: 'view' }, everyone),
    binding('demo-read', undefined, { kind: 'ClusterRole', name: 'demo-reader' }, everyone),
    binding('demo-admins', undefined, { kind: 'ClusterRole', name: 'cluster-admin' }, [user('alice')]),
    binding('system:metrics-server', undefined, { kind: 'ClusterRole', name: 'system:metrics-server' }, [
      account('metrics-server', 'kube-system'),
    ]),
    binding('demo-operators', 'shop', { kind: 'ClusterRole', name: 'edit' }, [group('demo:operators'), user('bob')]),
    binding('deploy-bot', 'shop', { kind: 'Role', name: 'deploy-bot' }, [user('deploy-bot')]),
  ];
  return objects.map((object) => stamped(shop, object, { createdAt: shop.before(90 * DAY), manager: 'kubectl-create' }));
};
