// Every service through the contract, on embedded backends.

import { afterAll, beforeAll } from 'vitest';
import type { CallContext } from '../../src/kit/context.ts';
import { createSealer } from '../../src/kit/seal.ts';
import { createChanges } from '../../src/manager/changes.ts';
import { helm } from '../../src/services/helm/index.ts';
import { kubernetes } from '../../src/services/kubernetes/index.ts';
import { platform } from '../../src/services/platform/index.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { kubernetesConfig } from '../../src/upstream/kubernetes/config.ts';
import { type Double, openDouble, toChartArchive } from '../support/chart-repository.ts';
import { type HelmDouble, openHelmDouble } from '../support/helm-double.ts';
import { type Cluster, openCluster } from '../support/program.ts';
import { serviceContract } from './service-contract.ts';

let cluster: Cluster;
let charts: Double;
let binary: HelmDouble;
beforeAll(async () => {
  cluster = await openCluster({ tls: true });
  binary = await openHelmDouble();
  const archive = toChartArchive('web', { 'Chart.yaml': 'name: web\nversion: 1.0.0\n', 'values.yaml': 'password: canary-chart\n' });
  charts = await openDouble((request, response) => {
    response.writeHead(200).end(request.url === '/index.yaml' ? 'entries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n' : archive);
  });
});
afterAll(async () => {
  await cluster.close();
  await charts.close();
  await binary.close();
});

/** Plans of a caller that may change things; the one change that it remembers is a rename. */
const changes = createChanges({
  sealer: createSealer(Buffer.alloc(32, 7)),
  store: createMemoryStore(),
  now: Date.now,
  mask: (text) => text,
  keepMs: 3_600_000,
  approval: { write: 'call', delete: 'call' },
  inverse: async () => ({
    plan: {
      summary: 'rename it back',
      targets: [{ ref: 'note://first', operation: 'update', version: '2' }],
      diff: [{ ref: 'note://first', path: 'name', before: 'new', after: 'old' }],
      undo: { possible: true, how: 'rename it again' },
      state: {},
    },
    apply: () => Promise.reject(new Error('only planned here')),
    verify: () => Promise.reject(new Error('only planned here')),
  }),
});
let renamed: string;
beforeAll(async () => {
  const change = { tool: 'notes_rename', summary: 'Renamed', targets: [], undo: { to: 'old' } };
  renamed = (await changes.record(change, context(new AbortController().signal))).changeId;
});

/** A context without neighbours: what a tool sees when it stands alone. */
const context = (signal: AbortSignal): CallContext => ({
  signal,
  caller: { id: 'tester', groups: [], scopes: ['all'] },
  requestId: 'request-1',
  traceId: '0'.repeat(32),
  now: Date.now,
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  cursor: undefined,
  progress: () => {},
  ask: async () => 'unavailable',
  call: async () => ({}),
  changes,
  directory: {
    profile: 'all',
    mode: 'read',
    limits: {},
    status: async () => [{ service: 'platform', title: 'Platform', state: 'up' }],
    clusters: async () => [],
    hidden: () => [],
    rules: () => [],
    serviceNames: () => ['platform'],
  },
});

serviceContract({
  definition: platform,
  config: () => ({}),
  wrongConfig: { enabled: 'perhaps' },
  env: () => ({}),
  calls: {
    platform_status: {},
    get platform_undo_change() {
      return { changeId: renamed };
    },
  },
  canaries: [],
  context,
});

const shop = { namespace: 'shop' };

serviceContract({
  definition: kubernetes,
  config: () => ({ kubeconfig: cluster.kubeconfig }),
  downConfig: { kubeconfig: 'nowhere/kubeconfig' },
  wrongConfig: { qps: 'fast' },
  env: () => ({}),
  calls: {
    kubernetes_list_resources: { kind: 'secrets', view: 'full', ...shop },
    kubernetes_get_resource: { kind: 'deployment', name: 'payment', view: 'describe', ...shop },
    kubernetes_get_logs: { name: 'deployment/payment', ...shop },
    kubernetes_list_events: { ...shop },
    kubernetes_wait_for_resource: { kind: 'deployment', name: 'web', ...shop },
    kubernetes_get_usage: { ...shop },
    kubernetes_check_access: { verb: 'list', kind: 'pods', ...shop },
    kubernetes_explain_api: { kind: 'deployment.spec' },
    kubernetes_proxy_request: { name: 'service/payment', port: 'http', path: '/healthz', ...shop },
    kubernetes_find_problems: { ...shop },
    kubernetes_check_network: { to: 'service/payment', ...shop },
    kubernetes_apply_manifest: {
      manifest: 'apiVersion: v1\nkind: Secret\nmetadata: {name: planned}\nstringData: {a: canary-planned-8c1}',
      ...shop,
    },
    kubernetes_patch_resource: { kind: 'secret', name: 'payment-secret', patch: { stringData: { a: 'canary-planned-8c1' } }, ...shop },
    kubernetes_manage_resource: { action: 'restart', kind: 'deployment', name: 'payment', ...shop },
    kubernetes_delete_resource: { kind: 'secret', name: 'payment-secret', ...shop },
    kubernetes_drain_node: { name: 'node-1' },
    kubernetes_exec_pod: { name: 'postgres-0', namespace: 'data', command: ['env'] },
  },
  canaries: ['canary-'],
  context,
});

serviceContract({
  definition: helm,
  config: () => ({ kubeconfigPath: cluster.kubeconfig, repositories: [{ name: 'stable', url: charts.url }], binary: binary.binary }),
  downConfig: { kubeconfigPath: 'nowhere/kubeconfig' },
  wrongConfig: { maxRetries: 'often' },
  env: () => ({}),
  section: () => kubernetesConfig.parse({}),
  calls: {
    helm_list_releases: { namespace: 'shop' },
    helm_get_release: { name: 'payment', namespace: 'shop' },
    helm_search_charts: { query: 'web' },
    helm_get_chart: { chart: 'stable/web', view: 'values' },
    helm_render_chart: { chart: 'stable/web', view: 'manifest' },
    helm_deploy_release: { name: 'new', namespace: 'shop', chart: 'stable/web', values: { password: 'canary-given' } },
    helm_rollback_release: { name: 'payment', namespace: 'shop' },
    helm_uninstall_release: { name: 'payment', namespace: 'shop' },
  },
  canaries: ['canary-'],
  context,
});
