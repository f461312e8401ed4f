// The Kubernetes suite: the same cases on the embedded API server and on a real one. Where they differ, the embedded one is wrong.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { openApp, type Shop } from '../support/shop.ts';

export interface Target {
  /** Kubeconfig files: everything, reading without Secrets, nothing. */
  readonly kubeconfigs: { readonly admin: string; readonly viewer: string; readonly nobody: string };
  close(): Promise<void>;
}

type Server = Omit<Shop, 'embedded'>;
type Fields = Readonly<Record<string, unknown>>;
interface Page {
  readonly total: number;
  readonly shown: number;
  readonly next?: string;
  readonly reason?: string;
}

const COUNT = 500;
const SPACE = 'suite-bench';
const OTHER = 'suite-other';

/** A pod that no scheduler takes, so that it is the same everywhere. */
const pod = (namespace: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: 'suite', tier: Number(name.slice(-1)) % 2 === 0 ? 'even' : 'odd' } },
  spec: {
    schedulerName: 'nobody',
    automountServiceAccountToken: false,
    containers: [
      { name: 'app', image: 'registry.example.test/suite/app:1.0.0', env: [{ name: 'API_TOKEN', value: 'canary-env-3f9a1c' }] },
      { name: 'proxy', image: 'registry.example.test/suite/proxy:2.0.0' },
    ],
  },
});

const gadgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.suite.example.test' },
  spec: {
    group: 'suite.example.test',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList', shortNames: ['gdg'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer', description: 'How big.' } } } },
          },
        },
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
      },
    ],
  },
};

const inBatches = async (items: readonly string[], work: (item: string) => Promise<unknown>): Promise<void> => {
  for (let at = 0; at < items.length; at += 20) await Promise.all(items.slice(at, at + 20).map(work));
};

const codeOf = (thrown: unknown): AppError => thrown as AppError;

export const kubernetesSuite = (name: string, open: () => Promise<Target>): void => {
  describe(`Kubernetes tools on ${name} (SEED-SVC-KUBERNETES)`, () => {
    let target: Target;
    let api: KubernetesApi;
    let admin: Server;
    let viewer: Server;
    let nobody: Server;

    const podPath = (namespace: string, podName = ''): string => `/api/v1/namespaces/${namespace}/pods/${podName}`.replace(/\/$/, '');
    const list = async (args: Fields, server = admin): Promise<Fields> => (await server.call('kubernetes_list_resources', args)).structured;
    const names = Array.from({ length: COUNT }, (_, at) => `suite-${String(at).padStart(4, '0')}`);

    beforeAll(async () => {
      target = await open();
      api = new KubernetesApi(target.kubeconfigs.admin);
      [admin, viewer, nobody] = (await Promise.all(
        [target.kubeconfigs.admin, target.kubeconfigs.viewer, target.kubeconfigs.nobody].map((file) =>
          openApp({ 'kubernetes.kubeconfig': file }),
        ),
      )) as [Server, Server, Server];
      for (const namespace of [SPACE, OTHER])
        await api.json('/api/v1/namespaces', {
          method: 'POST',
          body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
        });
      await inBatches(names, (podName) => api.json(podPath(SPACE), { method: 'POST', body: pod(SPACE, podName) }));
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'credentials', namespace: OTHER },
        stringData: { password: 'canary-secret-77d2e0' },
      };
      await api.json(`/api/v1/namespaces/${OTHER}/secrets`, { method: 'POST', body: secret });
    });
    afterAll(async () => {
      await Promise.all([admin, viewer, nobody].map((server) => server?.close()));
      for (const path of [`/api/v1/namespaces/${SPACE}`, `/api/v1/namespaces/${OTHER}`]) await api.request(path, { method: 'DELETE' });
      await api.request('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.suite.example.test', { method: 'DELETE' });
      await api.close();
      await target.close();
    });

    it('lists 500 pods within 8 KB, with exact total, counts per state and a cursor', async () => {
      const { text, structured } = await admin.call('kubernetes_list_resources', { kind: 'pods', namespace: SPACE });
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8192);
      expect(Buffer.byteLength(JSON.stringify(structured))).toBeLessThanOrEqual(8192);
      expect(structured).toMatchObject({
        namespace: SPACE,
        states: { Pending: COUNT },
        page: { total: COUNT, shown: 50, reason: 'limit' },
      });
      expect(structured['columns']).toEqual(['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE', 'NODE']);
      expect((structured['rows'] as string[][])[0]?.slice(0, 3)).toEqual(['suite-0000', '0/2', 'Pending']);
    });

    it('pages to the end and gives each pod once while pods come and go', async () => {
      const seen: string[] = [];
      let cursor: string | undefined;
      let round = 0;
      do {
        const answer = await list({
          kind: 'pods',
          namespace: SPACE,
          view: 'names',
          limit: 60,
          ...(cursor === undefined ? {} : { cursor }),
        });
        seen.push(...(answer['names'] as string[]));
        cursor = (answer['page'] as Page).next;
        // One that was seen goes, one that was not goes, and new ones appear before and behind the place.
        await api.json(podPath(SPACE, names[round * 2 + 1]), { method: 'DELETE', body: { gracePeriodSeconds: 0 } });
        await api.json(podPath(SPACE, names[COUNT - 1 - round * 2]), { method: 'DELETE', body: { gracePeriodSeconds: 0 } });
        await api.json(podPath(SPACE), { method: 'POST', body: pod(SPACE, `a-new-${round}1`) });
        await api.json(podPath(SPACE), { method: 'POST', body: pod(SPACE, `z-new-${round}1`) });
        round += 1;
      } while (cursor !== undefined && round < 20);
      expect(new Set(seen).size).toBe(seen.length);
      // Those that lived through it all were all seen.
      const gone = new Set(Array.from({ length: round }, (_, at) => [names[at * 2 + 1], names[COUNT - 1 - at * 2]]).flat());
      expect(names.filter((podName) => !gone.has(podName) && !seen.includes(podName))).toEqual([]);
    });

    it('refuses a cursor of another call, an altered one, and says what to do', async () => {
      const { page } = await list({ kind: 'pods', namespace: SPACE, limit: 5 });
      const { next } = page as Page;
      for (const args of [
        { kind: 'pods', namespace: OTHER, cursor: next },
        { kind: 'pods', namespace: SPACE, cursor: `${next?.slice(0, -2)}xx` },
        { kind: 'pods', namespace: SPACE, cursor: 'nonsense' },
      ]) {
        expect(await list(args).catch(codeOf)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'cursor' } });
      }
    });

    it('filters by label, field, name, glob and expression, and counts by label, path and column', async () => {
      const even = await list({ kind: 'po', namespace: SPACE, labelSelector: 'tier=even,app in (suite)', view: 'count' });
      const odd = await list({ kind: 'Pod', namespace: SPACE, labelSelector: 'tier=odd', view: 'count' });
      expect(even['total']).toBeGreaterThan(200);
      const total = Number(even['total']) + Number(odd['total']);
      expect(await list({ kind: 'v1/Pod', namespace: SPACE, groupBy: 'tier' })).toMatchObject({
        total,
        groups: { even: even['total'], odd: odd['total'] },
      });
      expect(await list({ kind: 'pods', namespace: SPACE, groupBy: 'STATUS' })).toMatchObject({ groups: { Pending: total } });
      expect(await list({ kind: 'pods', namespace: SPACE, groupBy: 'spec.schedulerName' })).toMatchObject({ groups: { nobody: total } });
      expect(await list({ kind: 'pods', namespace: SPACE, fieldSelector: 'metadata.name=suite-0004', view: 'names' })).toMatchObject({
        names: ['suite-0004'],
      });
      expect(await list({ kind: 'pods', namespace: SPACE, name: 'suite-000*', view: 'count' })).toMatchObject({
        total: expect.any(Number),
      });
      expect(await list({ kind: 'pods', namespace: SPACE, name: '/^suite-000[04]$/', view: 'names' })).toMatchObject({
        names: ['suite-0000', 'suite-0004'],
      });
      expect(await list({ kind: 'pods', namespace: SPACE, fieldSelector: 'spec.color=red' }).catch(codeOf)).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
      expect(await list({ kind: 'pods', namespace: SPACE, labelSelector: 'tier in (' }).catch(codeOf)).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    });

    it('sorts both ways and keeps its place', async () => {
      const first = await list({
        kind: 'pods',
        namespace: SPACE,
        view: 'names',
        sortBy: '-name',
        limit: 3,
        labelSelector: 'app=suite',
        name: 'suite-00',
      });
      const second = await list({
        kind: 'pods',
        namespace: SPACE,
        view: 'names',
        sortBy: '-name',
        limit: 3,
        labelSelector: 'app=suite',
        name: 'suite-00',
        cursor: (first['page'] as Page).next,
      });
      const both = [...(first['names'] as string[]), ...(second['names'] as string[])];
      expect(both).toEqual([...both].sort().reverse());
      expect(new Set(both).size).toBe(6);
    });

    it('shows chosen fields and the images of all pods', async () => {
      const chosen = await list({ kind: 'pods', namespace: SPACE, fields: 'spec.containers[*].name,metadata.labels.tier', limit: 2 });
      expect(chosen['columns']).toEqual(['NAME', 'spec.containers[*].name', 'metadata.labels.tier']);
      expect((chosen['rows'] as unknown[][])[0]?.[1]).toEqual(['app', 'proxy']);
      const images = await list({ kind: 'pods', namespace: SPACE, view: 'images' });
      expect((images['images'] as { image: string; pods: number }[]).map(({ image }) => image).sort()).toEqual([
        'registry.example.test/suite/app:1.0.0',
        'registry.example.test/suite/proxy:2.0.0',
      ]);
    });

    it('lists a kind whose definition was made a moment ago, and explains its fields', async () => {
      await list({ kind: 'pods', namespace: OTHER, view: 'count' });
      await api.json('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body: gadgets });
      const waited = await admin.call('kubernetes_wait_for_resource', {
        kind: 'crd',
        name: 'gadgets.suite.example.test',
        condition: 'ready',
        timeout: '30s',
      });
      expect(waited.structured['result']).toBe('met');
      await expect
        .poll(
          () =>
            api
              .request(`/apis/suite.example.test/v1/namespaces/${OTHER}/gadgets`, {
                method: 'POST',
                body: { apiVersion: 'suite.example.test/v1', kind: 'Gadget', metadata: { name: 'one' }, spec: { size: 3 } },
              })
              .then(({ status }) => status),
          { timeout: 30_000 },
        )
        .toBe(201);
      await expect
        .poll(() => list({ kind: 'gdg', namespace: OTHER }).catch(codeOf), { timeout: 30_000 })
        .toMatchObject({ columns: ['NAME', 'SIZE'], rows: [['one', 3]] });
      const got = await admin.call('kubernetes_get_resource', { kind: 'gadget', name: 'one', namespace: OTHER, fields: ['spec.size'] });
      expect(got.structured['fields']).toEqual({ 'spec.size': 3 });
    });

    it('suggests near kinds, names and namespaces', async () => {
      expect(await list({ kind: 'deploymets' }).catch(codeOf)).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { nearest: expect.arrayContaining(['deployments']) },
      });
      const missing = await admin.call('kubernetes_get_resource', { kind: 'pod', name: 'suite-000', namespace: SPACE }).catch(codeOf);
      expect(missing).toMatchObject({ code: 'NOT_FOUND', details: { nearest: expect.arrayContaining(['suite-0000']) } });
      expect(await list({ kind: 'pods', namespace: 'suite-bnch' })).toMatchObject({
        empty: { reason: 'no_match', detail: expect.stringContaining('suite-bench') },
      });
    });

    it('gives the rest and says what is missing when one kind is forbidden', async () => {
      const answer = await list({ kind: 'pods,secrets', namespace: OTHER }, viewer);
      expect(answer).toMatchObject({ errors: [{ kind: 'secrets', code: 'FORBIDDEN' }] });
      expect(String(answer['warnings'])).toContain('secrets');
      expect(await list({ kind: 'pods' }, nobody).catch(codeOf)).toMatchObject({
        code: 'FORBIDDEN',
        details: { by: 'rbac', allowedNamespaces: [] },
      });
    });

    it('answers who may do what, and why', async () => {
      const own = await admin.call('kubernetes_check_access', { verb: 'delete', kind: 'pods', namespace: SPACE });
      expect(own.structured).toMatchObject({ allowed: true, question: `delete pods in ${SPACE}` });
      const refused = await viewer.call('kubernetes_check_access', { verb: 'get', kind: 'secrets', namespace: SPACE });
      expect(refused.structured).toMatchObject({
        allowed: false,
        missingRule: { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
      });
      const other = await admin.call('kubernetes_check_access', {
        verb: 'get',
        kind: 'pods/log',
        namespace: SPACE,
        subject: 'user:somebody',
      });
      expect(other.structured).toMatchObject({ allowed: false, subject: 'user:somebody' });
      const who = await admin.call('kubernetes_check_access', { verb: 'list', kind: 'nodes', view: 'who' });
      expect(who.text).toContain('cluster-admin');
    });

    it('never shows the value of a Secret or of a variable named like one', async () => {
      const answers = await Promise.all([
        admin.call('kubernetes_get_resource', { kind: 'secret', name: 'credentials', namespace: OTHER }),
        admin.call('kubernetes_get_resource', { kind: 'secret', name: 'credentials', namespace: OTHER, view: 'yaml' }),
        admin.call('kubernetes_get_resource', { kind: 'secret', name: 'credentials', namespace: OTHER, fields: ['data'] }),
        admin.call('kubernetes_list_resources', { kind: 'secrets', namespace: OTHER, view: 'full' }),
        admin.call('kubernetes_list_resources', { kind: 'secrets', namespace: OTHER, fields: ['data.password'] }),
        admin.call('kubernetes_get_resource', { kind: 'pod', name: 'suite-0000', namespace: SPACE, view: 'describe' }),
      ]);
      const all = JSON.stringify(answers) + admin.log.join('');
      expect(all).toContain('"size":20');
      for (const canary of ['canary-secret-77d2e0', Buffer.from('canary-secret-77d2e0').toString('base64'), 'canary-env-3f9a1c'])
        expect(all).not.toContain(canary);
    });

    it('waits until an object appears, and tells when it cannot become ready', async () => {
      const waiting = admin.call('kubernetes_wait_for_resource', {
        kind: 'configmap',
        name: 'late',
        namespace: OTHER,
        condition: 'exists',
        timeout: '30s',
      });
      await api.json(`/api/v1/namespaces/${OTHER}/configmaps`, {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late' }, data: { color: 'blue' } },
      });
      expect((await waiting).structured).toMatchObject({ result: 'met' });
      const value = await admin.call('kubernetes_wait_for_resource', {
        kind: 'configmap',
        name: 'late',
        namespace: OTHER,
        condition: 'jsonpath=data.color=blue',
        timeout: '10s',
      });
      expect(value.structured).toMatchObject({ result: 'met', state: 'blue' });
      const never = await admin.call('kubernetes_wait_for_resource', { kind: 'pod', name: 'suite-0000', namespace: SPACE, timeout: '1s' });
      expect(never.structured).toMatchObject({ result: 'timeout', state: expect.stringContaining('Pending') });
    });

    it('explains a built-in field and names near ones', async () => {
      const field = await admin.call('kubernetes_explain_api', { kind: 'deployment.spec.strategy' });
      expect(field.structured).toMatchObject({ apiVersion: 'apps/v1', kind: 'Deployment', type: 'DeploymentStrategy' });
      expect(await admin.call('kubernetes_explain_api', { kind: 'pod.spec.containers.imge' }).catch(codeOf)).toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { nearest: expect.arrayContaining(['image']) },
      });
    });

    it('finds the pods that nobody schedules, and nothing in a healthy namespace', async () => {
      const empty = await admin.call('kubernetes_find_problems', { namespace: OTHER });
      expect(empty.structured['problems'] ?? []).toEqual([]);
      const { structured } = await admin.call('kubernetes_find_problems', { namespace: SPACE, kind: 'pod', name: 'suite-0000' });
      expect(structured).toMatchObject({ cluster: expect.any(String) });
    });
  });
};
