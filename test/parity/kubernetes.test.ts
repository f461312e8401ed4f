// The 33 tools of the earlier edition's Kubernetes service, by ours.

import { afterAll, beforeAll, describe, expect } from 'vitest';
import { openShop, type Shop } from '../support/shop.ts';
import { type Call, itCovers } from './parity.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop({
    flags: {
      'security.allowWrites': true,
      'security.allowDestructive': true,
      'security.policy': { rules: [{ action: 'allow', command: ['**'] }, { action: 'allow' }] },
    },
  });
});
afterAll(() => shop.close());

type Fields = Readonly<Record<string, unknown>>;

const namespace = 'shop';
const isPlan = (structured: Fields): void => expect(structured).toMatchObject({ phase: 'plan', plan: expect.stringMatching(/^pl_/) });

const calls: Readonly<Record<string, Call>> = {
  kubernetes_get_resource_summary: {
    args: { kind: 'deployment', name: 'web', namespace, view: 'summary' },
    check: (answer) => expect(answer).toMatchObject({ name: 'web', kind: expect.stringContaining('eployment') }),
  },
  kubernetes_get_resource: {
    args: { kind: 'deployment', name: 'web', namespace, view: 'full', fields: ['spec.replicas', 'metadata.labels'] },
    check: (_, text) => expect(text).toContain('spec.replicas'),
  },
  kubernetes_describe_resource: {
    args: { kind: 'deployment', name: 'payment', namespace, view: 'describe' },
    check: (answer) => expect(Object.keys(answer)).toEqual(expect.arrayContaining(['pods', 'services'])),
  },
  kubernetes_get_resource_details: {
    args: { kind: 'service', name: 'web', namespace, view: 'full' },
    check: (_, text) => expect(text).toContain('clusterIP'),
  },
  kubernetes_get_resource_detail_advanced: {
    args: { kind: 'statefulset', name: 'postgres', namespace: 'data', view: 'describe' },
    check: (answer) => expect(Object.keys(answer)).toEqual(expect.arrayContaining(['pods'])),
  },
  kubernetes_get_resources_detail: {
    args: { kind: 'deployment', name: 'web,cart,nope', namespace, view: 'describe' },
    check: (answer) => {
      expect(answer['items']).toHaveLength(2);
      expect(answer['missing']).toEqual(['nope']);
    },
  },
  kubernetes_list_resources: {
    args: {
      kind: 'pods',
      namespace,
      labelSelector: 'app.kubernetes.io/name=web',
      fieldSelector: 'status.phase=Running',
      limit: 2,
      fields: ['spec.nodeName'],
    },
    check: (answer) =>
      expect(answer).toMatchObject({ rows: [expect.anything(), expect.anything()], page: { total: 5, next: expect.any(String) } }),
  },
  kubernetes_list_resources_summary: {
    args: { kind: 'pods', namespace, labelSelector: 'app.kubernetes.io/name=web', limit: 2, view: 'table' },
    check: (answer) => expect(answer).toMatchObject({ columns: expect.arrayContaining(['STATUS']), page: { total: 5 } }),
  },
  kubernetes_list_resources_full: {
    args: {
      kind: 'pods',
      namespace,
      labelSelector: 'app.kubernetes.io/name=web',
      fieldSelector: 'status.phase=Running',
      limit: 1,
      view: 'full',
    },
    check: (answer) => expect(answer['items']).toMatchObject([{ kind: 'Pod', spec: expect.anything() }]),
  },
  kubernetes_search_resources: {
    args: {
      kind: 'deployments,services',
      name: 'pay',
      namespace,
      labelSelector: 'app.kubernetes.io/name=payment',
      limit: 10,
      view: 'names',
    },
    check: (_, text) => expect(text).toContain('payment'),
  },
  kubernetes_create_resource: {
    args: { manifest: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: parity, namespace: shop}\ndata: {a: "1"}\n' },
    check: (answer) => {
      isPlan(answer);
      expect(answer['targets']).toMatchObject([{ operation: 'create' }]);
    },
  },
  kubernetes_patch_resource: {
    args: { kind: 'deployment', name: 'web', namespace, patch: { metadata: { labels: { parity: 'yes' } } }, patchType: 'merge' },
    check: (answer) => {
      isPlan(answer);
      expect(answer['diff']).toMatchObject([{ path: 'metadata.labels.parity', after: 'yes' }]);
    },
  },
  kubernetes_delete_resource: {
    args: { kind: 'configmap', name: 'web-config', namespace },
    check: (answer) => {
      isPlan(answer);
      expect(answer['targets']).toMatchObject([{ operation: 'delete' }]);
    },
  },
  kubernetes_scale_resource: {
    args: { action: 'scale', kind: 'deployment', name: 'cart', namespace, replicas: 3 },
    check: (answer) => {
      isPlan(answer);
      expect(answer['diff']).toMatchObject([{ path: 'spec.replicas', before: 2, after: 3 }]);
    },
  },
  kubernetes_restart_workload: {
    args: { action: 'restart', kind: 'statefulset', name: 'redis', namespace: 'data', wait: '30s' },
    check: (answer) => {
      isPlan(answer);
      expect(answer['impact']).toMatchObject({ podsRestarted: 1 });
    },
  },
  kubernetes_get_rollout_status: {
    args: { kind: 'deployment', name: 'payment', namespace, view: 'rollout' },
    check: (answer) =>
      expect(answer).toMatchObject({
        rollout: { state: expect.any(String) },
        revisions: expect.arrayContaining([expect.objectContaining({ revision: 8 })]),
      }),
  },
  kubernetes_wait_for_resource: {
    args: { kind: 'deployment', name: 'web', namespace, condition: 'available', timeout: '5s' },
    check: (answer) => expect(answer).toMatchObject({ result: 'met' }),
  },
  kubernetes_cordon_node: {
    args: { action: 'cordon', kind: 'Node', name: 'node-1' },
    check: (answer) => expect(answer).toMatchObject({ diff: [{ path: 'spec.unschedulable', after: true }] }),
  },
  kubernetes_uncordon_node: {
    args: { action: 'uncordon', kind: 'Node', name: 'node-1' },
    check: (answer) => expect(answer).toMatchObject({ targets: [{ operation: 'unchanged' }] }),
  },
  kubernetes_drain_node: {
    args: { name: 'node-1', deleteEmptyDir: true, ignoreDaemonSets: true, gracePeriod: '10s', wait: '5s' },
    check: (answer) =>
      expect((answer['targets'] as Fields[]).map(({ operation }) => operation)).toEqual(expect.arrayContaining(['update', 'evict'])),
  },
  kubernetes_port_forward: {
    args: { name: 'pod/elasticsearch-0', namespace: 'observability', port: '9200', path: '/' },
    check: (answer) => expect(answer).toMatchObject({ status: expect.any(Number) }),
  },
  kubernetes_get_pod_logs: {
    args: { name: 'postgres-0', namespace: 'data', container: 'postgres', limit: 5 },
    check: (answer) => expect(answer['streams']).toMatchObject([{ pod: 'postgres-0', container: 'postgres' }]),
  },
  kubernetes_pod_exec: {
    args: { name: 'postgres-0', namespace: 'data', container: 'postgres', command: ['ls', '/'] },
    check: (answer) => {
      isPlan(answer);
      expect(answer['targets']).toMatchObject([{ operation: 'execute' }]);
    },
  },
  kubernetes_check_permissions: {
    args: { verb: 'delete', kind: 'deployments.apps', name: 'web', namespace, view: 'check' },
    check: (answer) => expect(answer).toMatchObject({ allowed: true }),
  },
  kubernetes_get_recent_events: {
    args: { namespace, fieldSelector: 'involvedObject.kind=Pod', limit: 5, type: 'Warning' },
    check: (_, text) => expect(text).toContain('BackOff'),
  },
  kubernetes_get_events: {
    args: { namespace, fieldSelector: 'involvedObject.kind=Pod', limit: 5, type: 'all' },
    check: (answer) => expect(answer['untrusted']).toBe(true),
  },
  kubernetes_get_events_detail: {
    args: { namespace, fieldSelector: 'involvedObject.kind=Pod', limit: 2, type: 'Warning', view: 'list' },
    check: (_, text) => expect(text).toContain('Warning'),
  },
  kubernetes_get_resource_usage: {
    args: { scope: 'pod', name: 'web', namespace, view: 'usage' },
    check: (_, text) => expect(text).toMatch(/web-/),
  },
  kubernetes_get_unhealthy_resources: {
    args: { namespace, kind: 'pods,deployments' },
    check: (answer) => expect(JSON.stringify(answer['problems'])).toContain('payment'),
  },
  kubernetes_get_node_conditions: {
    args: { kind: 'Node', name: 'node-3', view: 'describe' },
    check: (_, text) => expect(text).toMatch(/conditions|Ready/i),
  },
  kubernetes_analyze_issue: {
    args: { kind: 'deployment', name: 'payment', namespace },
    check: (answer) => expect(JSON.stringify(answer)).toContain('CrashLoopBackOff'),
  },
  kubernetes_get_api_versions: {
    args: { view: 'versions' },
    check: (_, text) => expect(text).toContain('apps'),
  },
  kubernetes_get_api_resources: {
    args: { view: 'resources', group: 'apps', namespaced: true },
    check: (_, text) => expect(text).toContain('deployments'),
  },
};

describe('the earlier edition', () => {
  itCovers('kubernetes', calls, async (tool, args) => shop.call(tool, args));
});
