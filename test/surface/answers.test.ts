// What callers read, pinned: one whole answer of every tool on the embedded shop, as text and as data. Read a change as the user would before accepting it.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Double, openDouble, toChartArchive } from '../support/chart-repository.ts';
import { type HelmDouble, openHelmDouble } from '../support/helm-double.ts';
import { openShop, type Shop } from '../support/shop.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const MAX_TOKENS = 4000;

const shop = { namespace: 'shop' };
const CALLS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  platform_status: {},
  platform_undo_change: {},
  kubernetes_list_resources: { kind: 'pods', limit: 5, ...shop },
  kubernetes_get_resource: { kind: 'deployment', name: 'payment', ...shop },
  kubernetes_get_logs: { name: 'deployment/payment', limit: 5, ...shop },
  kubernetes_list_events: { limit: 5, ...shop },
  kubernetes_wait_for_resource: { kind: 'deployment', name: 'web', ...shop },
  kubernetes_get_usage: { limit: 5, ...shop },
  kubernetes_check_access: { verb: 'list', kind: 'pods', ...shop },
  kubernetes_explain_api: { kind: 'deployment.spec.strategy' },
  kubernetes_proxy_request: { name: 'service/payment', port: 'http', path: '/healthz', ...shop },
  kubernetes_find_problems: { limit: 5, ...shop },
  kubernetes_check_network: { to: 'service/payment', ...shop },
  kubernetes_apply_manifest: { manifest: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh}\ndata: {open: "yes"}', ...shop },
  kubernetes_patch_resource: { kind: 'configmap', name: 'kube-root-ca.crt', patch: { metadata: { labels: { seen: 'yes' } } }, ...shop },
  kubernetes_manage_resource: { action: 'scale', kind: 'deployment', name: 'cart', replicas: 5, ...shop },
  kubernetes_delete_resource: { kind: 'configmap', name: 'kube-root-ca.crt', ...shop },
  kubernetes_drain_node: { name: 'node-1' },
  kubernetes_exec_pod: { name: 'postgres-0', namespace: 'data', command: ['env'] },
  helm_list_releases: { ...shop },
  helm_get_release: { name: 'payment', ...shop },
  helm_search_charts: { query: 'web' },
  helm_get_chart: { chart: 'stable/web', view: 'values' },
  helm_render_chart: { chart: 'stable/web', view: 'manifest' },
  helm_deploy_release: { name: 'new', chart: 'stable/web', values: { replicas: 2 }, ...shop },
  helm_rollback_release: { name: 'payment', ...shop },
  helm_uninstall_release: { name: 'payment', ...shop },
};

/** What differs from run to run: sealed tokens, ports, measured times, versions of objects. */
const toStable = (text: string): string =>
  text
    .replaceAll(/\b(pl|ch)_[\w-]{20,}/g, '$1_(sealed)')
    .replaceAll(/(cursor=|"next": ")[\w-]{40,}/g, '$1(sealed)')
    .replaceAll(/(@|"version": ")(?:\d+:)?\d{4,}\b/g, '$1(version)')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:(port)')
    .replaceAll(/("latencyMs":) ?\d+/g, '$1 "(ms)"')
    .replaceAll(/^( {2}\w+ +up +)\d+ */gm, '$1(ms) ')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '(uuid)');

describe('the answer of', () => {
  let server: Shop;
  let charts: Double;
  let binary: HelmDouble;
  let calls: typeof CALLS;
  beforeAll(async () => {
    binary = await openHelmDouble();
    const archive = toChartArchive('web', { 'Chart.yaml': 'name: web\nversion: 1.0.0\n', 'values.yaml': 'replicas: 1\nimage: web\n' });
    charts = await openDouble((request, response) => {
      response.writeHead(200).end(request.url === '/index.yaml' ? 'entries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n' : archive);
    });
    server = await openShop({
      tls: true,
      clock: () => NOW,
      now: () => NOW,
      flags: {
        'security.allowWrites': true,
        'security.allowDestructive': true,
        'security.signingKey': 'a-key-of-more-than-32-characters-0123456789',
        'security.policy': { rules: [{ action: 'allow', command: '**' }, { action: 'allow' }] },
        'helm.repositories': [{ name: 'stable', url: charts.url }],
        'helm.binary': binary.binary,
      },
    });
    const change = { kind: 'configmap', name: 'kube-root-ca.crt', namespace: 'data', patch: { metadata: { labels: { seen: 'yes' } } } };
    const { structured } = await server.call('kubernetes_patch_resource', change);
    const done = await server.call('kubernetes_patch_resource', { ...change, apply: structured['plan'] });
    calls = { ...CALLS, platform_undo_change: { changeId: done.structured['changeId'] } };
  });
  afterAll(async () => {
    await server.close();
    await charts.close();
    await binary.close();
  });

  it('every tool is here', () => {
    expect(
      server.app
        .surface(['all'])
        .tables.tools.items.map(({ name }) => name)
        .toSorted(),
    ).toEqual(Object.keys(CALLS).toSorted());
  });

  it.each(Object.keys(CALLS))('%s is formatted for people and programs, without what neither needs (SEED-RES-02)', async (tool) => {
    const { text, structured } = await server.call(tool, calls[tool]);
    expect(countTokens(text)).toBeLessThanOrEqual(MAX_TOKENS);
    expect(text).not.toMatch(/^[[{]/);
    const data = JSON.stringify(structured, undefined, 1);
    expect(data).not.toMatch(/managedFields|: null\b|last-applied-configuration/);
    await expect(toStable(`${text}\n\n--- data ---\n${data}\n`)).toMatchFileSnapshot(`__snapshots__/answers/${tool}.txt`);
  });
});
