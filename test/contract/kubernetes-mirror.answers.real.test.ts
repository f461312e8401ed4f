// The shop, object for object, on the embedded API server and on a real one: every question gets the same answer.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shopObjects } from '../../src/embedded/kubernetes/index.ts';
import type { AppError } from '../../src/kit/errors.ts';
import { readMirror } from '../backends/kubernetes/bed.ts';
import { loadObjects } from '../backends/kubernetes/mirror-objects.ts';
import { openApp, openShop, type Shop } from '../support/shop.ts';

const NAMESPACED_KINDS = [
  ...[
    'pods',
    'deployments',
    'replicasets',
    'statefulsets',
    'daemonsets',
    'jobs',
    'cronjobs',
    'services',
    'endpointslices',
    'configmaps',
    'secrets',
  ],
  ...[
    'ingresses',
    'networkpolicies',
    'poddisruptionbudgets',
    'horizontalpodautoscalers',
    'persistentvolumeclaims',
    'serviceaccounts',
    'roles',
    'rolebindings',
    'events',
  ],
];
const CLUSTER_KINDS = ['nodes', 'persistentvolumes', 'storageclasses', 'ingressclasses', 'priorityclasses'];

const QUESTIONS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ...NAMESPACED_KINDS.map((kind) => ['kubernetes_list_resources', { kind, namespace: 'shop' }] as const),
  ...CLUSTER_KINDS.map((kind) => ['kubernetes_list_resources', { kind }] as const),
  ['kubernetes_list_resources', { kind: 'pods', namespace: 'data', view: 'full', limit: 3 }],
  [
    'kubernetes_list_resources',
    { kind: 'pods', namespace: 'shop', labelSelector: 'app.kubernetes.io/name in (payment,web)', sortBy: '-restarts' },
  ],
  ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', fieldSelector: 'status.phase=Pending' }],
  [
    'kubernetes_list_resources',
    { kind: 'pods', namespace: 'shop', fieldSelector: 'spec.nodeName!=node-1,status.phase=Running', view: 'names' },
  ],
  ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', fieldSelector: 'spec.colour=red' }],
  ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', labelSelector: 'a in (' }],
  ['kubernetes_list_resources', { kind: 'pods', view: 'images', namespace: 'shop' }],
  ['kubernetes_list_resources', { kind: 'pods', namespace: 'shop', groupBy: 'app.kubernetes.io/name' }],
  ['kubernetes_list_resources', { kind: 'deploy,sts,svc', namespace: 'data' }],
  ['kubernetes_list_resources', { kind: 'secrets', namespace: 'shop', view: 'full', limit: 2 }],
  ['kubernetes_get_resource', { kind: 'deployment', name: 'payment', namespace: 'shop', view: 'describe' }],
  ['kubernetes_get_resource', { kind: 'deployment', name: 'payment', namespace: 'shop', view: 'rollout' }],
  ['kubernetes_get_resource', { kind: 'deployment', name: 'recommendation', namespace: 'shop' }],
  ['kubernetes_get_resource', { kind: 'statefulset', name: 'kafka', namespace: 'data', view: 'rollout' }],
  ['kubernetes_get_resource', { kind: 'node', name: 'node-3', view: 'describe' }],
  ['kubernetes_get_resource', { kind: 'svc', name: 'payment', namespace: 'shop', view: 'describe' }],
  ['kubernetes_get_resource', { kind: 'ingress', name: 'shop', namespace: 'ingress', view: 'full' }],
  ['kubernetes_get_resource', { kind: 'hpa', name: 'web', namespace: 'shop', view: 'yaml' }],
  ['kubernetes_get_resource', { kind: 'cronjob', name: 'nightly-report', namespace: 'shop' }],
  ['kubernetes_get_resource', { kind: 'pod', name: 'nope', namespace: 'shop' }],
  ['kubernetes_list_events', { namespace: 'shop', type: 'all', view: 'list', limit: 100 }],
  ['kubernetes_list_events', { namespace: 'shop' }],
  ['kubernetes_find_problems', { namespace: 'shop' }],
  ['kubernetes_find_problems', { namespace: 'data' }],
  ['kubernetes_find_problems', { kind: 'deployment', name: 'payment', namespace: 'shop' }],
  ['kubernetes_check_network', { to: 'service/payment', from: 'deployment/checkout', namespace: 'shop' }],
  ['kubernetes_check_network', { to: 'service/postgres', from: 'shop/deployment/web', namespace: 'data' }],
  ['kubernetes_explain_api', { kind: 'deployment.spec.strategy.rollingUpdate' }],
  ['kubernetes_wait_for_resource', { kind: 'deployment', name: 'web', namespace: 'shop' }],
  ['kubernetes_get_usage', { view: 'capacity' }],
];

/** What may differ: ages by a second, times of asking, cursors, the cluster's name. */
const normalize = (value: unknown): unknown => {
  if (typeof value === 'string') {
    return value
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
      .replace(/\b(?:\d+[ydhms]){1,2}\b/g, '<age>')
      .replace(/\b[0-9a-f]{16}\b/g, '<hash>');
  }
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([key]) => !['cluster', 'waited', 'upstream'].includes(key));
  return Object.fromEntries(
    fields.map(([key, item]) => [key, key === 'page' ? { ...(item as object), next: undefined } : normalize(item)]),
  );
};

describe('the shop on a real API server', () => {
  let real: Omit<Shop, 'embedded'>;
  let embedded: Shop;
  beforeAll(async () => {
    const mirror = readMirror();
    const objects = shopObjects(Date.now);
    await loadObjects(mirror, objects);
    real = await openApp({ 'kubernetes.kubeconfig': mirror.kubeconfig });
    embedded = await openShop({ objects });
  });
  afterAll(async () => {
    await real?.close();
    await embedded?.close();
  });

  it.each(QUESTIONS)('%s %j', async (tool, args) => {
    const ask = (server: Omit<Shop, 'embedded'>) =>
      server.call(tool, { ...args, maxTokens: 20_000 }).then(
        ({ structured }) => normalize(structured),
        ({ code, message, details }: AppError) => normalize({ code, message, details }),
      );
    const [expected, given] = await Promise.all([ask(real), ask(embedded)]);
    expect(given).toEqual(expected);
  });
});
