// Releases through the application: read from their storage, with every kind of record that a cluster may hold.

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { type RecordOptions, toRecordObject } from '../support/helm-record.ts';
import { type Cluster, openCluster } from '../support/program.ts';
import { openApp, type Shop } from '../support/shop.ts';

const NOW = Date.parse('2026-03-01T00:00:00Z');
const NAMESPACE = 'shop';

let cluster: Cluster;
let api: KubernetesApi;
let app: Omit<Shop, 'embedded'>;

const put = async (options: Partial<RecordOptions> & { name: string }): Promise<void> => {
  const object = toRecordObject({ namespace: NAMESPACE, ...options });
  const plural = options.storage === 'ConfigMap' ? 'configmaps' : 'secrets';
  await api.json(`/api/v1/namespaces/${options.namespace ?? NAMESPACE}/${plural}`, { method: 'POST', body: object as never });
};

beforeAll(async () => {
  cluster = await openCluster();
  api = new KubernetesApi(cluster.kubeconfig);
  app = await openApp({ 'kubernetes.kubeconfig': cluster.kubeconfig }, () => NOW);
  const age = (minutes: number): number => NOW / 1000 - minutes * 60;
  await put({ name: 'many', revision: 9, status: 'superseded' });
  await put({ name: 'many', revision: 10, status: 'deployed', chartVersion: '1.10.0' });
  await put({
    name: 'broke',
    status: 'failed',
    description: 'Release "broke" failed: timed out waiting for the condition',
    modifiedAt: age(3),
  });
  await put({ name: 'stuck', revision: 1, status: 'deployed', modifiedAt: age(60) });
  await put({ name: 'stuck', revision: 2, status: 'pending-upgrade', modifiedAt: age(45) });
  await put({ name: 'fresh', status: 'pending-install', modifiedAt: age(2) });
  await put({ name: 'mapped', storage: 'ConfigMap', labels: { team: 'blue' } });
  await put({ name: 'garbage', payload: Buffer.from('this is no release') });
  await put({ name: 'list', payload: gzipSync('[1,2]') });
  await put({ name: 'bomb', payload: gzipSync(Buffer.alloc(60 * 1024 * 1024)) });
  await put({ name: 'cut', payload: gzipSync('{"name":"cut"}').subarray(0, 20) });
  await put({
    name: 'secretive',
    revision: 1,
    defaults: {
      auth: { password: 'canary-default-password', username: 'jane' },
      existingSecret: 'my-secret',
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    },
    values: JSON.parse(
      '{"auth":{"password":"canary-user-password"},"env":[{"name":"API_TOKEN","value":"canary-env-token"}],"__proto__":{"polluted":true},"gone":null}',
    ) as object,
    notes: 'Log in with canary-user-password.',
    manifest: [
      '---\n# Source: box/templates/secret.yaml\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  key: canary-manifest-secret\n',
      '---\n# Source: box/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  url: postgres://u:canary-user-password@db/x\n',
      '---\n# Source: box/templates/broken.yaml\n{ not: [yaml\n',
      '---\n# Source: box/templates/none.yaml\n# only a comment\n',
      '---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: { name: old, namespace: elsewhere }\n',
    ].join(''),
    hooks: [
      {
        name: 'migrate',
        kind: 'Job',
        path: 'box/templates/hook.yaml',
        manifest: 'apiVersion: v1\nkind: Secret\nmetadata: { name: h }\nstringData: { k: canary-hook-secret }',
        events: ['pre-upgrade'],
        weight: -5,
        last_run: { phase: 'Failed', started_at: '2026-01-02T03:04:05Z', completed_at: '0001-01-01T00:00:00Z' },
      },
    ],
  });
});
afterAll(async () => {
  await app.close();
  await api.close();
  await cluster.close();
});

const get = async (name: string, args: object = {}) =>
  (await app.call('helm_get_release', { name, namespace: NAMESPACE, ...args })).structured;
const list = async (args: object = {}) => (await app.call('helm_list_releases', { namespace: NAMESPACE, ...args })).structured;
const names = (answer: Readonly<Record<string, unknown>>) => (answer['releases'] as { name: string }[]).map(({ name }) => name);
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => 'answered',
    (thrown: unknown) => thrown,
  );

describe('helm_list_releases (SEED-SVC-HELM)', () => {
  it('shows the newest revision of each release, by number, with chart and versions', async () => {
    expect((await list({ name: 'many' }))['releases']).toMatchObject([
      { name: 'many', revision: 10, status: 'deployed', chart: 'box-1.10.0', appVersion: '2.0' },
    ]);
  });

  it('knows failed, pending and stuck ones; a pending newest hides no deployed one below', async () => {
    expect(names(await list({ status: 'failed' }))).toEqual(['broke']);
    expect(names(await list({ status: 'pending' })).sort()).toEqual(['fresh', 'stuck']);
    expect(names(await list({ status: 'broken' })).sort()).toEqual(['broke', 'stuck']);
    expect(names(await list({ status: 'deployed' }))).not.toContain('stuck');
    expect(names(await list({ status: 'superseded', name: 'many' }))).toEqual(['many']);
    expect(await refusal(list({ status: 'faild' }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'status', nearest: ['failed'] },
    });
  });

  it('reads ConfigMaps as well as Secrets, and follows label selectors', async () => {
    expect(await list({ labelSelector: 'team in (blue)' })).toMatchObject({
      releases: [{ name: 'mapped', chart: 'box-1.0.0' }],
      page: { total: 1 },
    });
    expect(await refusal(list({ labelSelector: 'team in (' }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('finds releases by chart and version, over all namespaces when none is named', async () => {
    expect(names(await list({ chart: 'box@1.10.0' }))).toEqual(['many']);
    const { structured } = await app.call('helm_list_releases', { chart: 'redis' });
    expect(structured).toMatchObject({ namespace: 'all', releases: [{ name: 'redis', namespace: 'data' }] });
  });

  it('goes on where a page ended', async () => {
    const first = await list({ limit: 5 });
    const { next, total } = first['page'] as { next: string; total: number };
    const second = await list({ limit: 500, cursor: next });
    expect(names(first).length + names(second).length).toBe(total);
    expect(names(first).filter((name) => names(second).includes(name))).toEqual([]);
  });

  it('counts in the overview, and names what is stuck', async () => {
    const { structured } = await app.call('helm_list_releases', { view: 'overview' });
    expect(structured).toMatchObject({ statuses: { failed: 1, 'pending-upgrade': 1, 'pending-install': 1 }, namespaces: { data: 3 } });
    expect(structured['broken']).toContainEqual(expect.objectContaining({ name: 'stuck', stuck: true }));
    expect(structured['broken']).toContainEqual(expect.objectContaining({ name: 'fresh', stuck: false }));
  });

  it('shows a record that cannot be read as such, beside the others', async () => {
    const { releases } = await list({ limit: 100 });
    for (const name of ['garbage', 'list', 'bomb', 'cut'])
      expect(releases).toContainEqual(expect.objectContaining({ name, chart: 'unreadable' }));
  });

  it('explains emptiness', async () => {
    expect(await list({ name: 'nothing-like-it' })).toMatchObject({ empty: { reason: 'no_match' } });
    expect((await app.call('helm_list_releases', { namespace: 'shopp' })).structured).toMatchObject({
      empty: { detail: expect.stringContaining('There is no namespace shopp; near: shop') },
    });
  });
});

describe('helm_get_release (SEED-SVC-HELM)', () => {
  it('tells what is wrong with a release and what frees it', async () => {
    expect(await get('stuck')).toMatchObject({
      revision: 2,
      status: 'pending-upgrade',
      problems: [
        {
          severity: 'critical',
          problem: expect.stringContaining('45m'),
          advice: expect.stringContaining('helm_rollback_release to revision 1'),
        },
      ],
    });
    expect(await get('fresh')).toMatchObject({ problems: [{ severity: 'warning' }] });
    expect(await get('broke')).toMatchObject({
      problems: [{ problem: expect.stringContaining('timed out'), advice: expect.stringContaining('helm_uninstall_release') }],
    });
  });

  it('finds missing objects, failed hooks, broken documents and removed APIs', async () => {
    const { problems } = await get('secretive');
    const words = (problems as { problem: string }[]).map(({ problem }) => problem);
    expect(words).toEqual(
      expect.arrayContaining([
        'Secret/s: missing',
        expect.stringContaining('hook Job/migrate (pre-upgrade) failed'),
        expect.stringContaining('policy/v1beta1 was removed in Kubernetes 1.25'),
        expect.stringContaining('box/templates/broken.yaml in the manifest is no object'),
      ]),
    );
  });

  it('computes all values: defaults below those of the user, null takes away', async () => {
    const { values } = await get('secretive', { view: 'all_values' });
    expect(values).toMatchObject({
      auth: { username: 'jane', password: { size: 20 } },
      existingSecret: 'my-secret',
      tolerations: [{ key: 'dedicated' }],
    });
    expect({}).not.toHaveProperty('polluted');
    expect(await get('secretive', { view: 'values', fields: ['auth.password', 'nope.there'] })).toMatchObject({
      fields: { 'auth.password': { size: 20, hash: expect.any(String) } },
      warnings: [expect.stringContaining('nope.there')],
    });
  });

  it('shows no secret in any view, nor where it reappears (RULE-03)', async () => {
    for (const view of ['summary', 'values', 'all_values', 'manifest', 'notes', 'hooks', 'resources', 'history', 'chart', 'diff']) {
      const answer = await refusal(
        app.call('helm_get_release', { name: 'secretive', namespace: NAMESPACE, view, ...(view === 'diff' ? { compareTo: 'live' } : {}) }),
      );
      expect(JSON.stringify(answer)).not.toContain('canary-');
    }
    expect(app.log.join('\n')).not.toContain('canary-');
  });

  it('keeps only the objects that are named, and pages what does not fit', async () => {
    const { manifest, page } = await get('payment', { view: 'manifest', fields: ['deployment/payment'] });
    expect([page, manifest]).toMatchObject([{ total: 1 }, [{ ref: 'Deployment/payment', object: { kind: 'Deployment' } }]]);
    const small = await get('payment', { view: 'manifest', maxTokens: 600 });
    expect(small['page']).toMatchObject({ total: 6, reason: 'budget', next: expect.any(String) });
  });

  it('compares two revisions object by object', async () => {
    const { changes, counts } = await get('payment', { view: 'diff', compareTo: '7', revision: 8 });
    expect(counts).toMatchObject({ chart: 2, values: 3 });
    expect(changes).toContainEqual({ section: 'values', path: 'config.dbPoolSize', before: '20', after: '2', op: 'change' });
    expect(changes).toContainEqual({
      section: 'manifest',
      ref: 'Deployment/payment',
      path: 'spec.template.spec.containers[name=payment].resources.limits.memory',
      before: '512Mi',
      after: '256Mi',
      op: 'change',
    });
  });

  it('marks replicas that an autoscaler sets as expected', async () => {
    const { drift } = await get('web', { view: 'diff', compareTo: 'live' });
    expect(drift).toMatchObject([
      { ref: 'Deployment/web', path: 'spec.replicas', note: expect.stringContaining('HorizontalPodAutoscaler web') },
    ]);
  });

  it('says where else a name is, which revisions there are, and which record is broken', async () => {
    expect(await refusal(get('redis'))).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('exists in: data') });
    expect(await refusal(get('paymnt'))).toMatchObject({ code: 'NOT_FOUND', details: { nearest: ['payment'] } });
    expect(await refusal(get('many', { revision: 4 }))).toMatchObject({ code: 'NOT_FOUND', details: { choices: [10, 9] } });
    for (const [name, why] of [
      ['garbage', 'no JSON'],
      ['list', 'no release'],
      ['bomb', 'larger'],
      ['cut', 'gzip'],
    ] as const)
      expect(await refusal(get(name))).toMatchObject({
        code: 'DATA_ERROR',
        message: expect.stringMatching(new RegExp(`secrets/sh.helm.release.v1.${name}.v1.*${why}`)),
      });
    expect(await get('garbage', { view: 'history' })).toMatchObject({ revisions: [{ revision: 1, chart: 'unreadable' }] });
  });

  it.each(['--all', 'a,b', 'Web', '../web', 'name=x', 'x'.repeat(54), 'a b'])('refuses "%s" as a name', async (name) => {
    expect(await refusal(get(name))).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'name' } });
  });
});

describe('rights and settings of Helm', () => {
  const open = (flags: object) => openApp({ 'kubernetes.kubeconfig': cluster.kubeconfig, ...flags }, () => NOW);

  it('keeps to the namespaces that the configuration allows', async () => {
    const limited = await open({ 'kubernetes.namespaces': ['data'] });
    const { structured } = await limited.call('helm_list_releases');
    expect([structured['namespace'], names(structured)]).toEqual(['data', ['kafka', 'postgres', 'redis']]);
    expect(await refusal(limited.call('helm_get_release', { name: 'payment', namespace: 'shop' }))).toMatchObject({ code: 'FORBIDDEN' });
    await limited.close();
  });

  it('names the missing right when Secrets may not be listed', async () => {
    const { writeFile } = await import('node:fs/promises');
    const viewer = `${cluster.kubeconfig}-viewer`;
    await writeFile(viewer, cluster.embedded.kubeconfig('viewer'));
    const limited = await openApp({ 'helm.kubeconfigPath': viewer, 'kubernetes.kubeconfig': cluster.kubeconfig });
    const failed = await refusal(limited.call('helm_get_release', { name: 'payment', namespace: 'shop' }));
    expect(failed).toMatchObject({ code: 'FORBIDDEN', details: { missing: 'list secrets in namespace shop' } });
    // The kubeconfig of Kubernetes still has its rights.
    expect((await limited.call('kubernetes_list_resources', { kind: 'secrets', namespace: 'shop' })).text).toContain('payment');
    await limited.close();
  });
});

describe('signals of Helm', () => {
  it('finds releases by name, and tells revisions as changes', async () => {
    const { parts } = await app.app.manager.service('helm');
    const ctx = { signal: new AbortController().signal, caller: app.app.local };
    const hits = await parts.signals.find?.({ text: 'pay*', limit: 10 }, ctx);
    expect(hits).toMatchObject([{ kind: 'HelmRelease', ref: 'helm://demo/shop/payment', open: { tool: 'helm_get_release' } }]);
    const changes = await parts.signals.changes?.(
      { kind: '', name: 'stuck', namespace: NAMESPACE },
      { from: NOW - 50 * 60_000, to: NOW },
      ctx,
    );
    expect(changes).toMatchObject([{ what: 'release stuck revision 2 pending-upgrade', at: '2026-02-28T23:15:00Z' }]);
  });
});
