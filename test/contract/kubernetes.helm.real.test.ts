// Helm against a real API server, beside the real Helm 3 and Helm 4: what we read is what they print, what we plan is what happens.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { createApp, loadSettings } from '../../src/app.ts';
import { runCommand } from '../backends/command.ts';
import type { KubernetesApi } from '../backends/kubernetes/api.ts';
import { connect, createNamespace, deleteNamespace, helm, readBed } from '../backends/kubernetes/bed.ts';
import { type Double, openDouble, openRegistry, type RegistryDouble, sha256, toChartArchive } from '../support/chart-repository.ts';
import { chartFiles, writeChart } from '../support/helm-chart.ts';
import { sendRpc } from '../support/http.ts';
import { startProgram } from '../support/program.ts';

type Structured = Readonly<Record<string, unknown>>;
type Call = (tool: string, args: object, signal?: AbortSignal) => Promise<Structured>;

const bed = readBed();
let api: KubernetesApi;
let repository: Double;
let registry: RegistryDouble;
const archives = new Map(['1.0.0', '1.1.0'].map((version) => [version, toChartArchive('box', chartFiles(version))]));
const folders = new Map<string, string>();

/** The application with Helm of this major version, all effects allowed. */
const open = async (
  major: 3 | 4,
  more: { helm?: object; kubernetes?: object; timeouts?: object } = {},
): Promise<{ call: Call; close(): Promise<void>; log: string[] }> => {
  const folder = await mkdtemp(join(tmpdir(), 'helm-'));
  const file = join(folder, 'config.yaml');
  const config = {
    kubernetes: { kubeconfig: bed.kubeconfigs.admin, ...more.kubernetes },
    helm: {
      binary: major === 3 ? bed.bin.helm3 : bed.bin.helm4,
      repositories: [
        { name: 'stable', url: repository.url },
        { name: 'oci', url: `oci://${registry.host}/charts`, username: 'jane', password: 'canary-oci', plainHttp: true },
      ],
      ...more.helm,
    },
    cache: { enabled: false },
    security: { allowWrites: true, allowDestructive: true },
    ...(more.timeouts === undefined ? {} : { timeouts: more.timeouts }),
  };
  await writeFile(file, stringify(config));
  const log: string[] = [];
  const app = await createApp(await loadSettings({ env: {}, file, flags: { 'logging.json': true } }), {
    log: (line) => void log.push(line),
  });
  const { selection } = app.surface(['all']);
  return {
    log,
    call: async (tool, args, signal = new AbortController().signal) =>
      (await app.calls.call({ tool, args: args as Structured, caller: app.local, selection, signal })).structured,
    async close() {
      await app.close();
      await rm(folder, { recursive: true });
    },
  };
};

const refusal = (promise: Promise<unknown>) =>
  promise.then(
    (answer) => ({ answered: answer }),
    (thrown: unknown) => thrown,
  );

beforeAll(async () => {
  api = connect(bed);
  for (const version of archives.keys()) folders.set(version, await writeChart(version));
  const index = {
    entries: {
      box: [...archives].map(([version, archive]) => ({
        name: 'box',
        version,
        appVersion: `2.${version}`,
        digest: sha256(archive),
        urls: [`box-${version}.tgz`],
      })),
    },
  };
  repository = await openDouble((request, response) => {
    const [, version = ''] = /box-(.*)\.tgz$/.exec(request.url ?? '') ?? [];
    const body = request.url === '/index.yaml' ? stringify(index) : archives.get(version);
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  registry = await openRegistry({ login: { username: 'jane', password: 'canary-oci' } });
  const size = { cpu: '32', memory: '128Gi', pods: '250' };
  await api.request('/api/v1/nodes', {
    method: 'POST',
    body: {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'kwok-helm', labels: { type: 'kwok' } },
      status: { capacity: size, allocatable: size },
    },
  });
});
afterAll(async () => {
  await repository.close();
  await registry.close();
  await api.close();
});

const json = async <T>(major: 3 | 4, args: readonly string[], driver?: string): Promise<T> => {
  const program = major === 3 ? bed.bin.helm3 : bed.bin.helm4;
  const env = { KUBECONFIG: bed.kubeconfigs.admin, ...(driver === undefined ? {} : { HELM_DRIVER: driver }) };
  const { code, stdout, stderr } = await runCommand(program, args, { env });
  if (code !== 0) throw new Error(stderr);
  return (args.includes('json') ? JSON.parse(stdout) : stdout) as T;
};

const seconds = (time: string): number =>
  Math.floor(Date.parse(time.replace(/^(\S+) (\S+?)(?:\.\d+)? ([+-]\d{2})(\d{2}).*$/, '$1T$2$3:$4')) / 1000);

describe.each([3, 4] as const)('Helm %i', (major) => {
  let namespace: string;
  let app: Awaited<ReturnType<typeof open>>;
  const cli = (...args: string[]) => helm(bed, major, [...args, '--namespace', namespace]);
  const read = (name: string, view: string, args: object = {}) =>
    app.call('helm_get_release', { name, namespace, view, maxTokens: 20_000, ...args });
  const must = async (promise: ReturnType<typeof cli>): Promise<string> => {
    const { code, stdout, stderr } = await promise;
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  const chart = (version: string): string => folders.get(version) ?? '';
  const realHook = (command: readonly string[], nodeSelector: object = { 'kubernetes.io/hostname': bed.node.name }) => ({
    hook: { image: bed.image, command, nodeSelector },
  });
  const plan = (tool: string, args: object) => app.call(tool, args);
  const apply = async (tool: string, args: object, wait = '40s'): Promise<Structured> => {
    const planned = await plan(tool, args);
    expect(planned).toMatchObject({ phase: 'plan', plan: expect.stringMatching(/^pl_/) });
    return app.call(tool, { ...args, wait, apply: planned['plan'] });
  };

  beforeAll(async () => {
    namespace = await createNamespace(api, `helm${major}`);
    app = await open(major);
  });
  afterAll(async () => {
    await app.close();
    await deleteNamespace(api, namespace);
  });

  describe('reads what Helm wrote (SEED-SVC-HELM)', () => {
    beforeAll(async () => {
      await must(cli('install', 'web', chart('1.0.0'), '--set', 'replicas=2,auth.password=canary-user', '--wait', '--timeout', '60s'));
      await must(
        cli('upgrade', 'web', chart('1.1.0'), '--set-json', 'dropped.a=null,message="bye"', '--reuse-values', '--wait', '--timeout', '60s'),
      );
    });

    it('list and history', async () => {
      const listed = await json<{ name: string; revision: string; status: string; chart: string; app_version: string; updated: string }[]>(
        major,
        ['list', '--namespace', namespace, '--output', 'json'],
      );
      const { releases } = await app.call('helm_list_releases', { namespace });
      const ours = (
        releases as { name: string; revision: number; status: string; chart: string; appVersion: string; updated: string }[]
      ).map((one) => [one.name, String(one.revision), one.status, one.chart, one.appVersion, seconds(one.updated)]);
      expect(ours).toEqual(listed.map((one) => [one.name, one.revision, one.status, one.chart, one.app_version, seconds(one.updated)]));
      const history = await json<{ revision: number; status: string; chart: string; description: string; updated: string }[]>(major, [
        'history',
        'web',
        '--namespace',
        namespace,
        '--output',
        'json',
      ]);
      const { revisions } = await read('web', 'history');
      expect(
        (revisions as typeof history).map(({ revision, status, chart: name, description, updated }) => [
          revision,
          status,
          name,
          description,
          seconds(updated),
        ]),
      ).toEqual(
        history
          .toReversed()
          .map(({ revision, status, chart: name, description, updated }) => [revision, status, name, description, seconds(updated)]),
      );
    });

    it('values and all values, but for the secrets', async () => {
      const hidden = (value: Structured) => ({
        ...value,
        auth: { ...(value['auth'] as object), password: expect.objectContaining({ hash: expect.any(String) }) },
      });
      const user = await json<Structured>(major, ['get', 'values', 'web', '--namespace', namespace, '--output', 'json']);
      expect((await read('web', 'values'))['values']).toEqual(hidden(user));
      const all = await json<Structured>(major, ['get', 'values', 'web', '--all', '--namespace', namespace, '--output', 'json']);
      expect((await read('web', 'all_values'))['values']).toEqual(hidden(all));
    });

    it('manifest, notes and hooks', async () => {
      const documents = parseAllDocuments(await must(cli('get', 'manifest', 'web')), { version: '1.1' })
        .map((document) => document.toJS() as Structured | null)
        .filter((document) => document !== null);
      const { manifest } = await read('web', 'manifest');
      const ours = (manifest as { object: Structured }[]).map(({ object }) => object);
      expect(ours.filter(({ kind }) => kind !== 'Secret')).toEqual(documents.filter(({ kind }) => kind !== 'Secret'));
      expect(ours.find(({ kind }) => kind === 'Secret')).toMatchObject({ data: { password: { size: 11 } } });
      const notes = (await must(cli('get', 'notes', 'web'))).replace(/^NOTES:\n/, '').trim();
      expect(notes).toContain('canary-user');
      const text = String((await read('web', 'notes'))['text']).trim();
      const [start = '', end = ''] = notes.split('canary-user');
      expect(text.startsWith(start) && text.endsWith(end)).toBe(true);
      expect(JSON.stringify(await read('web', 'notes'))).not.toContain('canary-user');
    });

    it('finds no drift after a deployment, and finds what a hand has changed', async () => {
      expect(await read('web', 'diff', { compareTo: 'live' })).toMatchObject({ empty: { reason: 'no_match' } });
      await api.json(`/apis/apps/v1/namespaces/${namespace}/deployments/web`, {
        method: 'PATCH',
        contentType: 'application/merge-patch+json',
        body: { spec: { replicas: 3 } },
      });
      expect(await read('web', 'diff', { compareTo: 'live' })).toMatchObject({
        drift: [{ ref: 'Deployment/web', path: 'spec.replicas', expected: 2, actual: 3 }],
      });
      await api.json(`/api/v1/namespaces/${namespace}/configmaps/web`, { method: 'DELETE' });
      expect(await read('web', 'diff', { compareTo: 'live' })).toMatchObject({ missing: ['ConfigMap/web'] });
      expect(await read('web', 'summary')).toMatchObject({
        problems: expect.arrayContaining([expect.objectContaining({ problem: 'ConfigMap/web: missing' })]),
      });
    });

    it('a record near the limit of an object', async () => {
      const values = join(await mkdtemp(join(tmpdir(), 'values-')), 'values.json');
      await writeFile(values, JSON.stringify({ blob: randomBytes(250_000).toString('base64') }));
      await must(cli('install', 'big', chart('1.0.0'), '--values', values));
      const secret = await api.json(`/api/v1/namespaces/${namespace}/secrets/sh.helm.release.v1.big.v1`);
      expect(JSON.stringify(secret).length).toBeGreaterThan(800_000);
      expect(await read('big', 'manifest', { fields: ['deployment/big'] })).toMatchObject({
        manifest: [{ object: { spec: { replicas: 1 } } }],
      });
      expect(await read('big', 'values', { maxTokens: 1000 })).toMatchObject({
        values: { blob: expect.stringMatching(/…\(\+\d+ chars\)$/) },
      });
    });

    it('ConfigMaps as storage', async () => {
      const program = major === 3 ? bed.bin.helm3 : bed.bin.helm4;
      const made = await runCommand(program, ['install', 'mapped', chart('1.0.0'), '--namespace', namespace], {
        env: { KUBECONFIG: bed.kubeconfigs.admin, HELM_DRIVER: 'configmap' },
      });
      expect(made.code).toBe(0);
      expect(await app.call('helm_list_releases', { namespace, name: 'mapped' })).toMatchObject({
        releases: [{ status: 'deployed', chart: 'box-1.0.0' }],
      });
      // And it is upgraded where it is.
      await apply('helm_deploy_release', { name: 'mapped', namespace, chart: 'stable/box', version: '1.1.0' });
      expect(await json(major, ['history', 'mapped', '--namespace', namespace, '--output', 'json'], 'configmap')).toHaveLength(2);
    });

    it('failed and pending releases, with the way out', async () => {
      const failing = join(await mkdtemp(join(tmpdir(), 'values-')), 'values.json');
      await writeFile(failing, JSON.stringify(realHook(['sh', '-c', 'exit 1'])));
      expect((await cli('install', 'failing', chart('1.0.0'), '--values', failing, '--timeout', '60s')).code).not.toBe(0);
      expect(await read('failing', 'summary')).toMatchObject({
        status: 'failed',
        problems: expect.arrayContaining([expect.objectContaining({ problem: expect.stringContaining('failed') })]),
      });
      // Nothing takes this hook: helm waits, and is killed.
      await must(cli('install', 'pending', chart('1.0.0')));
      const never = join(await mkdtemp(join(tmpdir(), 'values-')), 'values.json');
      await writeFile(never, JSON.stringify(realHook(['true'], { nobody: 'here' })));
      const program = major === 3 ? bed.bin.helm3 : bed.bin.helm4;
      const child = spawn(program, ['upgrade', 'pending', chart('1.1.0'), '--namespace', namespace, '--values', never], {
        env: { KUBECONFIG: bed.kubeconfigs.admin, HOME: tmpdir() },
        stdio: 'ignore',
      });
      await api.watchUntil(`/apis/batch/v1/namespaces/${namespace}/jobs?fieldSelector=metadata.name%3Dpending-migrate`, () => true, 60);
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      expect(await read('pending', 'summary')).toMatchObject({ status: 'pending-upgrade', revision: 2 });
      expect(await refusal(plan('helm_deploy_release', { name: 'pending', namespace, chart: 'stable/box' }))).toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { reason: 'PENDING', instead: { tool: 'helm_rollback_release', arguments: { name: 'pending', namespace, revision: 1 } } },
      });
      expect(await apply('helm_rollback_release', { name: 'pending', namespace })).toMatchObject({
        verification: { result: 'pass' },
        undo: { possible: false },
      });
      expect(await read('pending', 'summary')).toMatchObject({ status: 'deployed', revision: 3 });
    });
  });

  describe('writes (SEED-SVC-HELM)', () => {
    const target = () => ({ name: 'store', namespace, chart: 'stable/box' });

    it('plans an install without a trace, then does it', async () => {
      const args = { ...target(), version: '1.0', values: { message: 'first', auth: { password: 'canary-written' } } };
      const planned = await plan('helm_deploy_release', args);
      expect(planned).toMatchObject({
        summary: expect.stringContaining(`Install ${namespace}/store with box-1.0.0 as revision 1`),
        impact: { action: 'install', objects: { create: 3, update: 0, delete: 0 } },
        checks: [
          { name: 'namespace' },
          { name: 'values schema' },
          { name: 'permission', result: 'pass' },
          { name: 'server dry run', result: 'pass', detail: '3 of 3 changed objects accepted' },
        ],
        undo: { possible: false, how: expect.stringContaining('helm_uninstall_release') },
      });
      expect(JSON.stringify(planned)).not.toContain('canary-');
      expect((await cli('status', 'store')).code).not.toBe(0);
      const done = await app.call('helm_deploy_release', { ...args, wait: '40s', apply: planned['plan'] });
      expect(done).toMatchObject({
        phase: 'applied',
        verification: { result: 'pass' },
        result: { revision: 1, status: 'deployed' },
        undo: { tool: 'helm_uninstall_release', arguments: { name: 'store', namespace } },
      });
      expect(JSON.stringify(done)).not.toContain('canary-');
      expect(await json(major, ['status', 'store', '--namespace', namespace, '--output', 'json'])).toMatchObject({
        version: 1,
        info: { status: 'deployed' },
      });
    });

    it('shows in the plan of an upgrade exactly what changes', async () => {
      const before = await must(cli('get', 'manifest', 'store'));
      const args = { ...target(), reuseValues: true, values: { message: 'second', replicas: 2 } };
      const planned = await plan('helm_deploy_release', args);
      const diff = planned['diff'] as { ref: string; path: string; before?: unknown; after?: unknown }[];
      expect(
        diff
          .filter(({ ref }) => ref.startsWith('helm:'))
          .map(({ path, before: old, after }) => [path, old, String(after).replace(/ \(.*/, '')]),
      ).toEqual([
        ['chart', 'box-1.0.0', 'box-1.1.0'],
        ['values.message', 'first', 'second'],
        ['values.replicas', undefined, '2'],
      ]);
      const objects = diff
        .filter(({ ref }) => ref.startsWith('k8s:'))
        .map(({ ref, path, before: old, after }) => [ref.split('/').slice(-2).join('/'), path, old, after]);
      expect(objects.sort()).toEqual(
        [
          ['configmaps/store', 'data.message', 'first', 'second'],
          ['configmaps/store', 'data.version', '1.0.0', '1.1.0'],
          ['deployments.apps/store', 'spec.replicas', 1, 2],
          ['deployments.apps/store', 'spec.template.spec.containers[name=main].env[name=MESSAGE].value', 'first', 'second'],
        ].sort(),
      );
      expect(await must(cli('get', 'manifest', 'store'))).toBe(before);
      expect(await app.call('helm_deploy_release', { ...args, wait: '40s', apply: planned['plan'] })).toMatchObject({
        verification: { result: 'pass' },
        undo: { tool: 'platform_undo_change' },
        result: { revision: 2 },
      });
      expect(await read('store', 'diff', { compareTo: 'live' })).toMatchObject({ empty: { reason: 'no_match' } });
      expect(await api.json(`/api/v1/namespaces/${namespace}/configmaps/store`)).toMatchObject({
        data: { message: 'second', version: '1.1.0' },
      });
    });

    it('takes an upgrade back by a rollback, and that in turn', async () => {
      const value = async () =>
        ((await api.json(`/api/v1/namespaces/${namespace}/configmaps/store`)) as { data: { message: string } }).data.message;
      const args = { ...target(), reuseValues: true, values: { message: 'undone' } };
      const { plan: token } = await plan('helm_deploy_release', args);
      // The values are bulky: the server still holds them.
      const { values: _, ...slim } = args;
      const done = await app.call('helm_deploy_release', { ...slim, apply: token });
      expect(await value()).toBe('undone');
      const undo = { changeId: done['changeId'] };
      const back = await plan('platform_undo_change', undo);
      expect(back).toMatchObject({ summary: expect.stringContaining('Roll') });
      const restored = await app.call('platform_undo_change', { ...undo, wait: '40s', apply: back['plan'] });
      expect(restored).toMatchObject({ phase: 'applied', verification: { result: 'pass' } });
      expect(await value()).toBe('second');
      const again = { changeId: restored['changeId'] };
      const forward = await plan('platform_undo_change', again);
      await app.call('platform_undo_change', { ...again, apply: forward['plan'] });
      expect(await value()).toBe('undone');
      await must(cli('rollback', 'store', '2'));
    });

    it('refuses a plan when the release changed in between', async () => {
      const planned = await plan('helm_deploy_release', { ...target(), reuseValues: true, values: { message: 'third' } });
      await must(cli('upgrade', 'store', chart('1.1.0'), '--reuse-values'));
      const failed = await refusal(
        app.call('helm_deploy_release', { ...target(), reuseValues: true, values: { message: 'third' }, apply: planned['plan'] }),
      );
      expect(failed).toMatchObject({ code: 'CONFLICT', details: { plan: expect.any(String) } });
    });

    it('rolls back and says what that changes', async () => {
      const planned = await plan('helm_rollback_release', { name: 'store', namespace, revision: 1 });
      expect(planned['diff']).toContainEqual({
        ref: expect.stringContaining('configmaps/store'),
        path: 'data.message',
        before: 'second',
        after: 'first',
      });
      expect(
        await app.call('helm_rollback_release', { name: 'store', namespace, revision: 1, wait: '40s', apply: planned['plan'] }),
      ).toMatchObject({ verification: { result: 'pass' }, result: { status: 'deployed' } });
      expect(await api.json(`/api/v1/namespaces/${namespace}/configmaps/store`)).toMatchObject({ data: { message: 'first' } });
    });

    it('uninstalls with the records kept, and comes back from them; then without', async () => {
      const kept = await apply('helm_uninstall_release', { name: 'store', namespace, keepHistory: true });
      expect(kept).toMatchObject({
        verification: { result: 'pass', detail: expect.stringContaining('all objects are gone') },
        undo: { tool: 'platform_undo_change' },
      });
      expect(await read('store', 'summary')).toMatchObject({ status: 'uninstalled' });
      expect(await apply('helm_rollback_release', { name: 'store', namespace })).toMatchObject({
        verification: { result: 'pass' },
      });
      expect(await apply('helm_uninstall_release', { name: 'store', namespace })).toMatchObject({
        verification: { result: 'pass' },
        undo: { possible: false },
      });
      expect(await refusal(read('store', 'summary'))).toMatchObject({ code: 'NOT_FOUND' });
    });

    it('keeps what the resource policy keeps', async () => {
      await apply('helm_deploy_release', { ...target(), name: 'kept', values: { policy: 'keep' } });
      expect(await plan('helm_uninstall_release', { name: 'kept', namespace })).toMatchObject({
        impact: { keptByResourcePolicy: ['ConfigMap/kept'] },
      });
      await apply('helm_uninstall_release', { name: 'kept', namespace });
      expect((await api.request(`/api/v1/namespaces/${namespace}/configmaps/kept`)).status).toBe(200);
    });

    it('plans what is generated anew with each rendering, and can still apply it', async () => {
      const args = { ...target(), name: 'random', values: { random: true } };
      await apply('helm_deploy_release', args);
      expect(await apply('helm_deploy_release', { ...args, values: { random: true, message: 'again' } })).toMatchObject({
        result: { revision: 2 },
      });
    });

    it('makes a namespace only when it is asked to', async () => {
      const elsewhere = `${namespace}-new`;
      const args = { name: 'web', namespace: elsewhere, chart: 'stable/box' };
      expect(await refusal(plan('helm_deploy_release', args))).toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { reason: 'NAMESPACE_ABSENT' },
      });
      expect(await apply('helm_deploy_release', { ...args, createNamespace: true })).toMatchObject({ result: { status: 'deployed' } });
      await deleteNamespace(api, elsewhere);
    });

    it('refuses values that the schema or the templates refuse, before anything happens', async () => {
      expect(await refusal(plan('helm_deploy_release', { ...target(), values: { replicas: 'many' } }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('replicas: must be integer'),
      });
      expect(await refusal(plan('helm_deploy_release', { ...target(), values: { broken: true } }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { upstream: expect.stringContaining('broken on purpose') },
      });
    });

    it('says what a failing hook left behind', async () => {
      await apply('helm_deploy_release', { ...target(), name: 'hooked' });
      const args = { ...target(), name: 'hooked', values: realHook(['sh', '-c', 'exit 1']) };
      const planned = await plan('helm_deploy_release', args);
      expect(planned).toMatchObject({ impact: { hooks: ['Job/hooked-migrate (pre-install, pre-upgrade)'] } });
      expect(await refusal(app.call('helm_deploy_release', { ...args, wait: '40s', apply: planned['plan'] }))).toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { reason: 'PARTIAL', done: ['revision 2 is failed'], changeId: expect.any(String) },
      });
      // Back to what worked; and with atomic, Helm goes back by itself.
      expect(await apply('helm_rollback_release', { name: 'hooked', namespace })).toMatchObject({ result: { revision: 3 } });
      const atomic = { ...args, atomic: true };
      const again = await plan('helm_deploy_release', atomic);
      expect(await refusal(app.call('helm_deploy_release', { ...atomic, wait: '40s', apply: again['plan'] }))).toMatchObject({
        details: { reason: 'PARTIAL', done: ['revision 5 is deployed'] },
      });
    });

    it('ends a run at its time, and leaves nothing at work', async () => {
      const short = await open(major, { helm: { timeoutSec: 10 } });
      const args = { ...target(), name: 'slow', values: realHook(['true'], { nobody: 'here' }) };
      const planned = await short.call('helm_deploy_release', args);
      const failed = await refusal(short.call('helm_deploy_release', { ...args, wait: '40s', apply: planned['plan'] }));
      expect(failed).toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { reason: 'PARTIAL', done: [expect.stringMatching(/revision 1 is (failed|pending-install)/)] },
      });
      await short.close();
      expect(await running()).toEqual([]);
      await apply('helm_uninstall_release', { name: 'slow', namespace });
    });

    it('is stopped with its call: the next call tells the state', async () => {
      const args = { ...target(), name: 'left', values: realHook(['true'], { nobody: 'here' }) };
      const planned = await plan('helm_deploy_release', args);
      const controller = new AbortController();
      const called = refusal(app.call('helm_deploy_release', { ...args, wait: '60s', apply: planned['plan'] }, controller.signal));
      await api.watchUntil(`/apis/batch/v1/namespaces/${namespace}/jobs?fieldSelector=metadata.name%3Dleft-migrate`, () => true, 60);
      controller.abort();
      // What was done by then is said to the end.
      expect(await called).toMatchObject({
        code: 'FAILED_PRECONDITION',
        details: { reason: 'CANCELLED', done: [expect.stringContaining('revision')] },
      });
      await expect.poll(running, { timeout: 20_000 }).toEqual([]);
      expect(await read('left', 'summary')).toMatchObject({ status: expect.stringMatching(/failed|pending-install/) });
      expect(await refusal(apply('helm_uninstall_release', { name: 'left', namespace }))).toBeDefined();
    });

    it('ends its work when the server is killed; the next call tells the state', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'killed-'));
      const file = join(folder, 'config.yaml');
      await writeFile(
        file,
        stringify({
          kubernetes: { kubeconfig: bed.kubeconfigs.admin },
          helm: {
            binary: major === 3 ? bed.bin.helm3 : bed.bin.helm4,
            repositories: [{ name: 'stable', url: repository.url }],
            timeoutSec: 15,
          },
          security: { allowWrites: true },
        }),
      );
      const server = await startProgram(['--mode', 'http', '--config', file]);
      const send = async (more: object): Promise<Structured> => {
        const args = { ...target(), name: 'killed', values: realHook(['true'], { nobody: 'here' }), ...more };
        const { body } = await sendRpc(`${server.url}/api/helm/http`, 'tools/call', { name: 'helm_deploy_release', arguments: args });
        return (JSON.parse(body) as { result: { structuredContent: Structured } }).result.structuredContent;
      };
      await apply('helm_deploy_release', { ...target(), name: 'killed' });
      const planned = await send({});
      const lost = refusal(send({ apply: planned['plan'], wait: '60s' }));
      await api.watchUntil(`/apis/batch/v1/namespaces/${namespace}/jobs?fieldSelector=metadata.name%3Dkilled-migrate`, () => true, 60);
      await server.stop('SIGKILL');
      await lost;
      expect(await read('killed', 'summary')).toMatchObject({
        revision: 2,
        status: 'pending-upgrade',
        problems: [{ problem: expect.stringContaining('an operation is at work') }],
      });
      expect(await refusal(plan('helm_deploy_release', { ...target(), name: 'killed' }))).toMatchObject({ details: { reason: 'PENDING' } });
      // Helm 3 goes on, gives up at its own time and writes that down; Helm 4 ends at its broken output, and writes nothing.
      await expect.poll(running, { timeout: 40_000, interval: 500 }).toEqual([]);
      expect(await read('killed', 'summary')).toMatchObject({ revision: 2, status: major === 3 ? 'failed' : 'pending-upgrade' });
      expect(await apply('helm_rollback_release', { name: 'killed', namespace })).toMatchObject({ verification: { result: 'pass' } });
      for (const name of (await readdir(tmpdir())).filter((one) => one.startsWith('helm-run-')))
        await rm(join(tmpdir(), name), { recursive: true });
      await rm(folder, { recursive: true });
    });

    it('lets no chart out of the namespaces that may be reached', async () => {
      const limited = await open(major, { kubernetes: { namespaces: [namespace] } });
      const args = { ...target(), name: 'escape', values: { elsewhere: 'default' } };
      expect(await refusal(limited.call('helm_deploy_release', args))).toMatchObject({ code: 'FORBIDDEN', details: { by: 'policy' } });
      await limited.close();
    });

    it('renders and lints with the binary, without a cluster', async () => {
      const rendered = await app.call('helm_render_chart', {
        chart: 'stable/box',
        values: { message: 'rendered' },
        view: 'manifest',
        fields: ['ConfigMap'],
      });
      expect(rendered['manifest']).toMatchObject([{ object: { data: { message: 'rendered' }, metadata: { name: 'release' } } }]);
      const linted = await app.call('helm_render_chart', {
        chart: 'stable/box',
        values: { replicas: 99, image: 'web:latest' },
        view: 'lint',
      });
      expect(linted['findings']).toEqual(
        expect.arrayContaining([expect.objectContaining({ level: 'error', path: 'replicas', message: expect.stringContaining('<= 9') })]),
      );
      expect(await refusal(app.call('helm_render_chart', { chart: 'stable/box', values: { broken: true } }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('keeps no file, and no credential on a command line or in the log', async () => {
      expect((await readdir(tmpdir())).filter((name) => name.startsWith('helm-run-'))).toEqual([]);
      expect(app.log.join('\n')).not.toContain('canary-');
    });
  });

  it('takes charts that helm push brought to a registry, and gives them as helm pull does', async () => {
    const home = await mkdtemp(join(tmpdir(), 'oci-'));
    const env = { HOME: home, KUBECONFIG: bed.kubeconfigs.admin };
    const program = major === 3 ? bed.bin.helm3 : bed.bin.helm4;
    const run = async (...args: string[]) => {
      const { code, stderr } = await runCommand(program, args, { env });
      if (code !== 0) throw new Error(stderr);
    };
    await run('registry', 'login', registry.host, '--username', 'jane', '--password', 'canary-oci', '--plain-http');
    await run('package', chart('1.1.0'), '--destination', home, '--version', `1.1.0+helm${major}`);
    await run('push', join(home, `box-1.1.0+helm${major}.tgz`), `oci://${registry.host}/charts`, '--plain-http');
    const pushed = await readFile(join(home, `box-1.1.0+helm${major}.tgz`));
    await rm(join(home, `box-1.1.0+helm${major}.tgz`));
    await run('pull', `oci://${registry.host}/charts/box`, '--version', `1.1.0+helm${major}`, '--plain-http', '--destination', home);
    expect(await app.call('helm_get_chart', { chart: 'oci/box', version: `1.1.0+helm${major}` })).toMatchObject({
      digest: `sha256:${sha256(pushed)}`,
      metadata: { appVersion: '2.1.1.0' },
    });
    expect(await app.call('helm_search_charts', { view: 'versions', query: 'oci/box' })).toMatchObject({
      versions: expect.arrayContaining([{ version: `1.1.0+helm${major}` }]),
    });
    expect(await apply('helm_deploy_release', { name: 'fromoci', namespace, chart: `oci://${registry.host}/charts/box` })).toMatchObject({
      result: { status: 'deployed' },
    });
  });
});

/** Command lines of Helm that we started. */
const running = async (): Promise<string[]> => {
  const lines = await Promise.all(
    (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes('helm-run-'));
};
