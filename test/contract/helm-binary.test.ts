// How the user's own Helm is run: found, called without a shell, isolated, ended with its call. A double stands in its place.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { createApp, loadSettings } from '../../src/app.ts';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { type Double, openDouble, toChartArchive } from '../support/chart-repository.ts';
import { type HelmDouble, openHelmDouble } from '../support/helm-double.ts';
import { toRecordObject } from '../support/helm-record.ts';
import { type Cluster, openCluster } from '../support/program.ts';

let cluster: Cluster;
let charts: Double;
let double: HelmDouble;

beforeAll(async () => {
  cluster = await openCluster({ tls: true });
  double = await openHelmDouble();
  const archive = toChartArchive('web', {
    'Chart.yaml': 'name: web\nversion: 1.0.0\n',
    'values.schema.json': JSON.stringify({
      properties: { replicas: { type: 'integer' }, name: { type: 'string', pattern: '^(a+)+$' } },
      $schema: 'http://json-schema.org/draft-07/schema#',
    }),
    'templates/old.yaml': 'apiVersion: extensions/v1beta1\nkind: Ingress\n',
    'templates/pod.yaml': 'image: web:latest\n',
  });
  charts = await openDouble((request, response) => {
    response.writeHead(200).end(request.url === '/index.yaml' ? 'entries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n' : archive);
  });
});
afterAll(async () => {
  await cluster.close();
  await charts.close();
  await double.close();
});

const open = async (helm: object, { env = {}, more = {} }: { env?: Record<string, string>; more?: object } = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'helm-'));
  const file = join(folder, 'config.yaml');
  await writeFile(
    file,
    stringify({
      kubernetes: { kubeconfig: cluster.kubeconfig },
      helm: { repositories: [{ name: 'stable', url: charts.url }], ...helm },
      cache: { enabled: false },
      ...more,
    }),
  );
  const log: string[] = [];
  const app = await createApp(await loadSettings({ env, file, flags: { 'logging.json': true, 'logging.level': 'debug' } }), {
    log: (line) => void log.push(line),
  });
  const surface = app.surface(['all']);
  const controller = new AbortController();
  return {
    log,
    controller,
    surface,
    call: async (tool: string, args: object) =>
      (
        await app.calls.call({
          tool,
          args: args as Record<string, unknown>,
          caller: app.local,
          selection: surface.selection,
          signal: controller.signal,
        })
      ).structured,
    async close() {
      await app.close();
      await rm(folder, { recursive: true });
    },
  };
};

const WRITES = { security: { allowWrites: true, allowDestructive: true } };
const refusal = (promise: Promise<unknown>) => promise.then(JSON.stringify, (thrown: unknown) => thrown);
const last = async () => (await double.calls()).at(-1) ?? expect.fail('the binary was not called');

describe('without a Helm binary', () => {
  it('hides what needs it and says why; reading and checking values go on', async () => {
    const app = await open({}, { more: WRITES });
    const names = app.surface.tables.tools.items.map(({ name }) => name).filter((name) => name.startsWith('helm_'));
    expect(names).toEqual(['helm_get_chart', 'helm_get_release', 'helm_list_releases', 'helm_render_chart', 'helm_search_charts']);
    expect(app.surface.selection.hidden.get('helm_deploy_release')?.why).toContain('helm.binary');
    expect(await refusal(app.call('helm_render_chart', { chart: 'stable/web' }))).toMatchObject({
      code: 'UNSUPPORTED',
      details: { needs: 'helm.binary' },
    });
    const { findings, warnings } = await app.call('helm_render_chart', {
      chart: 'stable/web',
      view: 'lint',
      values: { replicas: 'two', name: `${'a'.repeat(40)}!` },
    });
    expect(findings).toEqual([
      { level: 'error', path: 'replicas', message: 'must be integer' },
      { level: 'error', path: 'name', message: expect.stringContaining('must match pattern') },
      { level: 'error', path: 'templates/old.yaml', message: expect.stringContaining('removed in Kubernetes 1.22') },
      { level: 'warning', path: 'images (guessed)', message: expect.stringContaining('web:latest') },
    ]);
    expect(warnings).toEqual([expect.stringContaining('Nothing was rendered')]);
    expect(await app.call('platform_status', { service: 'helm', view: 'detail' })).toMatchObject({
      services: [{ service: 'helm', state: 'up', details: { binary: expect.stringContaining('not there') } }],
    });
    await app.close();
  });
});

describe('with a Helm binary', () => {
  it('renders nothing that may look up objects for a caller who may not read them all', async () => {
    const args = {
      name: 'looking',
      namespace: 'shop',
      chart: 'stable/web',
      values: { note: '{{ lookup "v1" "Secret" "kube-system" "" }}' },
    };
    const refused = { code: 'FORBIDDEN', message: expect.stringContaining('may look up any object') };
    const before = (await double.calls()).length;
    const kubernetes = { kubeconfig: cluster.kubeconfig, namespaces: ['shop'] };
    const limited = await open({ binary: double.binary }, { more: { ...WRITES, kubernetes } });
    await expect(limited.call('helm_deploy_release', args)).rejects.toMatchObject(refused);
    await limited.close();
    const policy = {
      rules: [
        { action: 'deny', effect: 'read', kind: 'secrets', namespace: 'kube-system' },
        { action: 'allow', effect: 'write' },
      ],
    };
    const ruled = await open({ binary: double.binary }, { more: { security: { ...WRITES.security, policy } } });
    await expect(ruled.call('helm_deploy_release', args)).rejects.toMatchObject(refused);
    expect((await double.calls()).length).toBe(before);
    expect(await ruled.call('helm_deploy_release', { ...args, values: {} })).toMatchObject({ phase: 'plan' });
    await ruled.close();
  });

  it('deletes no namespace, volume or definition of a kind by way of a release, unless a rule names them', async () => {
    const api = new KubernetesApi(cluster.kubeconfig);
    const manifest = '---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n';
    const kept = manifest.replace('name: shop', 'name: shop\n  annotations: {helm.sh/resource-policy: keep}');
    const records = [
      { name: 'spacious', revision: 1, status: 'superseded' },
      { name: 'spacious', revision: 2, manifest },
      { name: 'keeper', revision: 1, manifest: kept },
    ];
    for (const record of records)
      await api.json('/api/v1/namespaces/shop/secrets', {
        method: 'POST',
        body: toRecordObject({ namespace: 'shop', ...record }) as never,
      });
    const app = await open({ binary: double.binary }, { more: WRITES });
    const refused = { code: 'FORBIDDEN', message: expect.stringContaining('need a rule of their own to be deleted') };
    const release = { name: 'spacious', namespace: 'shop' };
    await expect(app.call('helm_uninstall_release', release)).rejects.toMatchObject(refused);
    await expect(app.call('helm_rollback_release', { ...release, revision: 1 })).rejects.toMatchObject(refused);
    expect(await app.call('helm_uninstall_release', { ...release, name: 'keeper' })).toMatchObject({
      impact: { keptByResourcePolicy: ['Namespace/shop'] },
    });
    await app.close();
    await api.close();
  });

  it('is found as helm.binary says, or on the PATH', async () => {
    const named = await open({ binary: double.binary }, { more: WRITES });
    const onPath = await open({}, { env: { PATH: `relative:/nowhere:${dirname(double.binary)}` }, more: WRITES });
    for (const app of [named, onPath]) {
      expect(app.surface.tables.tools.items.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['helm_deploy_release', 'helm_rollback_release', 'helm_uninstall_release']),
      );
      await app.close();
    }
  });

  it('gets arguments as a list, values through stdin, positionals behind --, and homes of its own', async () => {
    const app = await open({ binary: double.binary, namespace: 'tools' });
    await app.call('helm_render_chart', {
      chart: 'stable/web',
      values: { '--post-renderer': '/bin/sh', nested: { list: [1] } },
      kubeVersion: '1.34',
    });
    const { args, input, env } = await last();
    const folder = env['HOME'] ?? '';
    expect(args).toEqual([
      'template',
      '--namespace',
      'tools',
      '--kube-version',
      '1.34',
      '--include-crds',
      '--values',
      '-',
      '--',
      'release',
      `${folder}/chart.tgz`,
    ]);
    expect(input).toBe('{"--post-renderer":"/bin/sh","nested":{"list":[1]}}');
    expect(env).toMatchObject({
      HELM_CONFIG_HOME: `${folder}/config`,
      HELM_DATA_HOME: `${folder}/data`,
      HELM_CACHE_HOME: `${folder}/cache`,
      HELM_PLUGINS: `${folder}/plugins`,
      HELM_DRIVER: 'secret',
    });
    expect(Object.keys(env).filter((name) => /NAMESPACE|TOKEN|AWS|MCP/.test(name))).toEqual([]);
    expect(await readdir(tmpdir())).not.toContain(folder.split('/').at(-1));
    await app.close();
  });

  it('reaches the cluster with a kubeconfig that only its owner may read, and that is gone afterwards', async () => {
    const app = await open({ binary: double.binary }, { more: WRITES });
    expect(await app.call('helm_deploy_release', { name: 'new', namespace: 'shop', chart: 'stable/web' })).toMatchObject({
      phase: 'plan',
      impact: { action: 'install' },
    });
    const { args, kubeconfig, mode, env } = await last();
    expect(args).toEqual([
      'upgrade',
      '--install',
      '--namespace',
      'shop',
      '--output',
      'json',
      '--reset-values',
      '--dry-run=server',
      '--values',
      '-',
      '--',
      'new',
      `${env['HOME']}/chart.tgz`,
    ]);
    expect(JSON.parse(kubeconfig)).toMatchObject({
      'current-context': 'target',
      clusters: [{ cluster: { server: expect.stringMatching(/^http/) } }],
    });
    expect(mode).toBe(0o600);
    expect(await refusal(readFile(env['KUBECONFIG'] ?? ''))).toMatchObject({ code: 'ENOENT' });
    await app.close();
  });

  it('writes what it says to the log only with helm.debug', async () => {
    for (const debug of [false, true]) {
      const app = await open({ binary: double.binary, debug });
      await app.call('helm_render_chart', { chart: 'stable/web' });
      expect(app.log.some((line) => line.includes('debug words of helm'))).toBe(debug);
      expect((await last()).args.includes('--debug')).toBe(debug);
      await app.close();
    }
  });

  it('is ended, with all that it started, when helm.timeoutSec is over or the caller leaves', { timeout: 40_000 }, async () => {
    const slow = { chart: 'stable/web', name: 'slow' };
    const app = await open({ binary: double.binary, timeoutSec: 1 });
    const called = refusal(app.call('helm_render_chart', slow));
    expect(await called).toMatchObject({ code: 'DEADLINE_EXCEEDED', details: { setting: 'helm.timeoutSec' } });
    const patient = await open({ binary: double.binary });
    const before = (await double.calls()).length;
    const left = refusal(patient.call('helm_render_chart', slow));
    await expect.poll(async () => (await double.calls()).length).toBeGreaterThan(before);
    patient.controller.abort();
    expect(await left).toMatchObject({ code: 'CANCELLED' });
    await expect.poll(sleepers, { timeout: 15_000 }).toEqual([]);
    await app.close();
    await patient.close();
  });

  it('takes no values with the keys of prototypes', async () => {
    const app = await open({ binary: double.binary });
    const values = JSON.parse('{"nested":{"__proto__":{"x":1}}}') as object;
    expect(await refusal(app.call('helm_render_chart', { chart: 'stable/web', values }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    await app.close();
  });

  it('says so when it is neither Helm 3 nor 4, and when it cannot be started', async () => {
    const old = await openHelmDouble('v2.17.0');
    const app = await open({ binary: old.binary });
    expect(await refusal(app.call('helm_render_chart', { chart: 'stable/web' }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('neither Helm 3 nor Helm 4'),
    });
    await old.close();
    expect(await refusal(app.call('helm_render_chart', { chart: 'stable/web' }))).toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('cannot be started'),
    });
    await app.close();
  });
});

/** Programs that were started from a folder of a run. */
const sleepers = async (): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return folders.filter((text) => text.includes('HOME=/tmp/helm-run-'));
};
