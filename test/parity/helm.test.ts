// The 33 tools of the earlier edition's Helm service, by ours. What Helm itself does is proven with the real ones (kubernetes.helm.real.test.ts).

import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Double, openDouble, toChartArchive } from '../support/chart-repository.ts';
import { type HelmDouble, openHelmDouble } from '../support/helm-double.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { type Call, itCovers } from './parity.ts';

let shop: Shop;
let charts: Double;
let binary: HelmDouble;

const INDEX = ['entries:', '  web:', '  - version: 1.0.0', '    description: A web server', '    urls: [web.tgz]'].join('\n');

beforeAll(async () => {
  binary = await openHelmDouble();
  const archive = toChartArchive('web', {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'values.yaml': 'replicas: 1\n',
    'templates/map.yaml': 'kind: ConfigMap\n',
  });
  charts = await openDouble((request, response) => void response.writeHead(200).end(request.url?.endsWith('index.yaml') ? INDEX : archive));
  shop = await openShop({
    tls: true,
    flags: {
      'security.allowWrites': true,
      'security.allowDestructive': true,
      'helm.binary': binary.binary,
      'helm.repositories': [{ name: 'stable', url: charts.url }],
      'helm.allowedHosts': [new URL(charts.url).host],
    },
  });
});
afterAll(async () => {
  await shop.close();
  await charts.close();
  await binary.close();
});

type Fields = Readonly<Record<string, unknown>>;

const payment = { name: 'payment', namespace: 'shop' };
const has = (key: string) => (answer: Fields) => expect(answer[key]).toBeDefined();
const says = (words: string | RegExp) => (_: Fields, text: string) => expect(text).toMatch(words);
const isPlan = (answer: Fields): void => expect(answer).toMatchObject({ phase: 'plan', plan: expect.stringMatching(/^pl_/) });

const calls: Readonly<Record<string, Call>> = {
  helm_list_releases: { args: { namespace: 'shop' }, check: says(/payment +shop? *8 +deployed|payment.*8 +deployed/) },
  helm_get_release: {
    args: { ...payment, view: 'summary' },
    check: (answer) => expect(answer).toMatchObject({ revision: 8, chart: 'payment-2.5.0' }),
  },
  helm_list_repos: { args: { view: 'repositories' }, check: says('stable') },
  helm_search_charts: { args: { query: 'web', devel: true }, check: says('web') },
  helm_get_chart_info: { args: { chart: 'stable/web', view: 'metadata' }, check: says('1.0.0') },
  helm_get_release_values: { args: { ...payment, view: 'values' }, check: says('dbPoolSize') },
  helm_get_release_manifest: { args: { ...payment, view: 'manifest' }, check: says('kind: Deployment') },
  helm_get_release_history: {
    args: { ...payment, view: 'history', limit: 3 },
    check: (answer) => expect(answer).toMatchObject({ page: { shown: 3, total: 8 } }),
  },
  helm_get_release_status: {
    args: { ...payment, view: 'summary' },
    check: (answer) => expect(answer).toMatchObject({ status: 'deployed' }),
  },
  helm_template_chart: {
    args: { chart: 'stable/web', name: 'x', namespace: 'shop', values: { replicas: 2 }, view: 'manifest' },
    check: says('kind: ConfigMap'),
  },
  helm_compare_revisions: {
    args: { ...payment, view: 'diff', revision: 8, compareTo: '7' },
    check: (answer) => expect(answer['changes']).toEqual(expect.arrayContaining([expect.objectContaining({ path: 'config.dbPoolSize' })])),
  },
  get helm_add_repository() {
    return { args: { repository: charts?.url ?? 'https://later' }, check: says('web') };
  },
  helm_update_repositories: { args: { refresh: true }, check: says('web') },
  helm_clear_cache: { args: { refresh: true }, check: says('web') },
  helm_cache_stats: { args: { service: 'helm', view: 'detail' }, check: says('helm') },
  helm_quick_info: { args: { view: 'overview' }, check: has('statuses') },
  helm_get_release_summary: { args: { ...payment, view: 'summary' }, check: has('problems') },
  helm_list_releases_summary: {
    args: { namespace: 'observability', limit: 3 },
    check: (answer) => expect(answer).toMatchObject({ page: { shown: 3, total: 7 } }),
  },
  helm_find_releases_by_chart: { args: { chart: 'payment@2.5.0' }, check: says('payment') },
  helm_list_releases_in_namespace: { args: { namespace: 'data' }, check: says('kafka') },
  helm_find_broken_releases: {
    args: { namespace: 'shop', status: 'broken' },
    check: (answer) => expect(answer).toMatchObject({ empty: { reason: 'no_match' } }),
  },
  helm_validate_release: { args: { ...payment, view: 'resources' }, check: says('Deployment/payment') },
  helm_list_releases_paginated: {
    args: { namespace: 'shop', status: 'deployed', limit: 2 },
    check: (answer) => expect(answer).toMatchObject({ page: { shown: 2, next: expect.any(String) } }),
  },
  helm_get_release_history_paginated: {
    args: { ...payment, view: 'history', limit: 2 },
    check: (answer) => expect(answer).toMatchObject({ page: { shown: 2, next: expect.any(String) } }),
  },
  helm_get_recent_failures: {
    args: { namespace: 'shop', status: 'failed', limit: 5 },
    check: (answer) => expect(answer).toMatchObject({ empty: { reason: 'no_match' } }),
  },
  helm_cluster_overview: { args: { view: 'overview' }, check: (answer) => expect(answer).toMatchObject({ total: 18 }) },
  helm_find_releases_by_labels: { args: { labelSelector: 'deployed-by=deploy-bot', namespace: 'shop', limit: 5 }, check: says('payment') },
  helm_get_resources_of_release: {
    args: { ...payment, view: 'resources', limit: 2 },
    check: (answer) => expect(answer['rows']).toHaveLength(2),
  },
  helm_health_check: {
    args: { service: 'helm', view: 'detail' },
    check: (answer) => expect(answer['services']).toMatchObject([{ service: 'helm', state: 'up' }]),
  },
  helm_install_release: {
    args: { name: 'fresh', chart: 'stable/web', namespace: 'shop', values: { replicas: 2 } },
    check: (answer) => {
      isPlan(answer);
      expect(answer['impact']).toMatchObject({ action: 'install' });
    },
  },
  helm_upgrade_release: {
    args: { name: 'payment', chart: 'stable/web', namespace: 'shop', values: { replicas: 2 } },
    check: (answer) => {
      isPlan(answer);
      expect(answer['impact']).toMatchObject({ action: 'upgrade' });
    },
  },
  helm_rollback_release: {
    args: { ...payment, revision: 7 },
    check: (answer) => {
      isPlan(answer);
      expect(answer['diff']).toEqual(expect.arrayContaining([expect.objectContaining({ path: 'values.config.dbPoolSize' })]));
    },
  },
  helm_uninstall_release: { args: payment, check: isPlan },
};

describe('the earlier edition', () => {
  itCovers('helm', calls, async (tool, args) => shop.call(tool, args));
});
