// Every change of Kubernetes: the plan says exactly what then happens, changes nothing itself, counts once, and is taken back. The same cases on the
// embedded API server and on a real one.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { byName, carryOut, fillGenerated, lookUp, type Row, toApiPath, toWanted } from '../support/diffs.ts';
import { openApp, type Shop } from '../support/shop.ts';

export interface ChangesTarget {
  readonly kubeconfigs: { readonly admin: string; readonly viewer: string };
  /** A node that may be cordoned for a moment. */
  readonly node: string;
  close(): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;

interface PlanAnswer extends Fields {
  readonly plan?: string;
  readonly diff: readonly Row[];
  readonly targets: readonly { readonly ref: string; readonly operation: string; readonly version?: string }[];
  readonly impact?: Fields;
  readonly warnings?: readonly string[];
}

const SPACE = 'suite-changes';

const template = (app: string, image: string) => ({
  metadata: { labels: { app } },
  spec: {
    schedulerName: 'nobody',
    automountServiceAccountToken: false,
    containers: [
      { name: 'app', image, env: [{ name: 'MODE', value: 'fast' }], resources: { limits: { memory: '64Mi' } } },
      { name: 'proxy', image: 'registry.example.test/proxy:1' },
    ],
  },
});

const workload = (kind: string, name: string, extra: Fields = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: SPACE, labels: { app: name, suite: 'changes' } },
  spec: { selector: { matchLabels: { app: name } }, template: template(name, 'registry.example.test/app:1'), ...extra },
});

const configMap = (name: string, data: Fields, labels?: Fields) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: SPACE, ...(labels === undefined ? {} : { labels }) },
  data,
});

const OBJECTS: readonly (Fields & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Fields };
})[] = [
  workload('Deployment', 'web', { replicas: 2 }),
  workload('Deployment', 'paused', { replicas: 1, paused: true }),
  workload('StatefulSet', 'store', { replicas: 2, serviceName: 'store' }),
  workload('DaemonSet', 'agent'),
  configMap('settings', { color: 'blue', 'app.yaml': 'a: 1\nb: 2\n' }),
  configMap('one', { a: '1' }, { group: 'many' }),
  configMap('two', { a: '2' }, { group: 'many' }),
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'login', namespace: SPACE },
    stringData: { password: 'canary-changes-5d1f' },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: SPACE },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly', namespace: SPACE },
    spec: {
      schedule: '0 3 1 1 *',
      jobTemplate: { spec: { template: { spec: { ...template('nightly', 'registry.example.test/job:1').spec, restartPolicy: 'Never' } } } },
    },
  },
  { apiVersion: 'suite.example.test/v1', kind: 'Widget', metadata: { name: 'thing', namespace: SPACE }, spec: { size: 1, replicas: 1 } },
];

const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.suite.example.test' },
  spec: {
    group: 'suite.example.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer' }, replicas: { type: 'integer' } } },
              status: { type: 'object', properties: { replicas: { type: 'integer' }, phase: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
};

const PLURALS: Readonly<Record<string, string>> = {
  Deployment: 'apis/apps/v1/namespaces/NS/deployments',
  StatefulSet: 'apis/apps/v1/namespaces/NS/statefulsets',
  DaemonSet: 'apis/apps/v1/namespaces/NS/daemonsets',
  ConfigMap: 'api/v1/namespaces/NS/configmaps',
  Secret: 'api/v1/namespaces/NS/secrets',
  Service: 'api/v1/namespaces/NS/services',
  CronJob: 'apis/batch/v1/namespaces/NS/cronjobs',
  Widget: 'apis/suite.example.test/v1/namespaces/NS/widgets',
};

const collection = (kind: string): string => `/${PLURALS[kind]?.replace('NS', SPACE)}`;

interface Case {
  readonly tool: string;
  readonly args: Fields;
  /** What the plan must say beside the diff. */
  readonly says?: (plan: PlanAnswer) => void;
  /** Absent = taken back by platform_undo_change. `delete` = the inverse is a deletion, named and not done. */
  readonly undo?: 'delete' | 'none';
  /** The status is what changes. */
  readonly status?: true;
}

const manage = (args: Fields): Case => ({ tool: 'kubernetes_manage_resource', args: { namespace: SPACE, ...args } });
const patch = (args: Fields): Case => ({ tool: 'kubernetes_patch_resource', args: { namespace: SPACE, ...args } });
const apply = (...objects: readonly Fields[]): Case => ({
  tool: 'kubernetes_apply_manifest',
  args: { manifest: objects.map((object) => JSON.stringify(object)).join('\n---\n') },
});
const remove = (args: Fields): Case => ({ tool: 'kubernetes_delete_resource', args: { namespace: SPACE, ...args } });

const CASES: Readonly<Record<string, Case | ((target: ChangesTarget) => Case)>> = {
  'scales a Deployment': {
    ...manage({ action: 'scale', kind: 'deploy', name: 'web', replicas: 4 }),
    says: ({ impact }) => expect(impact).toMatchObject({ podsBefore: 2, podsAfter: 4, podsRestarted: 0 }),
  },
  'scales to nothing, and says that it is an outage': {
    ...manage({ action: 'scale', kind: 'statefulset', name: 'store', replicas: 0 }),
    says: ({ warnings }) => expect(warnings).toEqual([expect.stringContaining('outage')]),
  },
  'scales a custom kind': manage({ action: 'scale', kind: 'widgets', name: 'thing', replicas: 3 }),
  'restarts a Deployment': {
    ...manage({ action: 'restart', kind: 'deployment', name: 'web' }),
    says: ({ impact }) => expect(impact).toMatchObject({ podsRestarted: 2, services: ['web'] }),
  },
  'restarts a StatefulSet': manage({ action: 'restart', kind: 'sts', name: 'store' }),
  'restarts a DaemonSet': manage({ action: 'restart', kind: 'ds', name: 'agent' }),
  'pauses a Deployment': manage({ action: 'pause', kind: 'deployment', name: 'web' }),
  'resumes a Deployment': manage({ action: 'resume', kind: 'deployment', name: 'paused' }),
  'suspends a CronJob': manage({ action: 'pause', kind: 'cronjob', name: 'nightly' }),
  'runs a CronJob now': { ...manage({ action: 'trigger', kind: 'cronjob', name: 'nightly' }), undo: 'delete' },
  'cordons a node': ({ node }) => ({ tool: 'kubernetes_manage_resource', args: { action: 'cordon', kind: 'node', name: node } }),
  'merges labels with odd names': patch({
    kind: 'configmap',
    name: 'settings',
    patch: { metadata: { labels: { 'example.test/tier.one': 'a', plain: 'b' } }, data: { color: null, shape: 'round' } },
  }),
  'merges strategically by the keys of lists': patch({
    kind: 'deployment',
    name: 'web',
    patchType: 'strategic',
    patch: {
      spec: {
        template: { spec: { containers: [{ name: 'app', image: 'registry.example.test/app:2', env: [{ name: 'NEW', value: 'x' }] }] } },
      },
    },
  }),
  'takes out an item by a JSON patch': patch({
    kind: 'deployments.apps',
    name: 'web',
    patchType: 'json',
    patch: [{ op: 'remove', path: '/spec/template/spec/containers/0/env/0' }],
  }),
  'patches a custom kind': patch({ kind: 'widget', name: 'thing', patch: { spec: { size: 7 } } }),
  'patches a status': { ...patch({ kind: 'widgets/status', name: 'thing', patch: { status: { phase: 'Fine' } } }), status: true },
  'changes a Secret without showing it': {
    ...patch({ kind: 'secret', name: 'login', patch: { stringData: { password: 'canary-changes-9e2b' } } }),
    says: ({ diff }) => expect(diff).toMatchObject([{ path: expect.stringContaining('password'), after: expect.anything() }]),
  },
  'creates by a manifest': {
    ...apply(configMap('fresh', { a: '1' }), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'fresh', namespace: SPACE },
      spec: { selector: { app: 'fresh' }, ports: [{ port: 80 }] },
    }),
    undo: 'delete',
    says: ({ targets }) => expect(targets.map(({ operation }) => operation)).toEqual(['create', 'create']),
  },
  'updates by a manifest, and leaves what others wrote': apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: SPACE, annotations: { 'example.test/note': 'mine' } },
    spec: {
      template: { spec: { containers: [{ name: 'app', env: [{ name: 'ADDED', value: '1' }] }], terminationGracePeriodSeconds: 30 } },
    },
  }),
  'leaves alone what is so already': {
    ...apply(configMap('settings', { color: 'blue' })),
    undo: 'none',
    says: ({ targets, diff }) => expect([targets.map(({ operation }) => operation), diff]).toEqual([['unchanged'], []]),
  },
  'deletes one object': remove({ kind: 'configmap', name: 'settings' }),
  'deletes by a selector': {
    ...remove({ kind: 'configmap', labelSelector: 'group=many' }),
    says: ({ impact }) => expect(impact).toMatchObject({ objects: 2 }),
  },
  'deletes a Deployment with what it owns': {
    ...remove({ kind: 'deployment', name: 'web' }),
    says: ({ impact, warnings }) => {
      expect(impact?.['dependants']).toMatchObject({ ReplicaSet: expect.any(Number) });
      expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining('may lose their endpoints')]));
    },
  },
  'deletes a Service': remove({ kind: 'service', name: 'web' }),
};

export const kubernetesChangesSuite = (name: string, open: () => Promise<ChangesTarget>): void => {
  describe(`changes on ${name}`, () => {
    let target: ChangesTarget;
    let server: Omit<Shop, 'embedded'>;
    let api: KubernetesApi;

    const read = async (ref: string): Promise<unknown> => {
      const { status, text } = await api.request(toApiPath(ref));
      return status === 404 ? undefined : JSON.parse(text);
    };
    const readAll = async (refs: readonly string[]): Promise<ReadonlyMap<string, unknown>> =>
      new Map(await Promise.all(refs.map(async (ref) => [ref, await read(ref)] as const)));
    const call = async (tool: string, args: Fields): Promise<PlanAnswer> => (await server.call(tool, args)).structured as PlanAnswer;
    const failure = (tool: string, args: Fields): Promise<AppError> =>
      server.call(tool, args).then(
        () => Promise.reject(new Error('it was done')),
        (error: AppError) => error,
      );
    /** Makes what is missing, and puts back what another case changed. */
    const reset = async (): Promise<void> => {
      for (const object of OBJECTS) {
        const path = `${collection(object.kind)}/${object.metadata.name}`;
        await api.request(path, { method: 'DELETE', body: { propagationPolicy: 'Background', gracePeriodSeconds: 0 } as never });
      }
      for (const object of OBJECTS) {
        const path = `${collection(object.kind)}?fieldManager=suite`;
        let answer = await api.request(path, { method: 'POST', body: object as never });
        while (answer.status === 409) answer = await api.request(path, { method: 'POST', body: object as never });
        if (answer.status >= 400) throw new Error(answer.text);
      }
      // Controllers have looked at their objects: they write no more into them.
      for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet']) await api.watchUntil(collection(kind), () => true);
      await api.watchUntil(`/apis/apps/v1/namespaces/${SPACE}/replicasets?labelSelector=app%3Dweb`, () => true);
    };
    const isSettled = (object: unknown): boolean => {
      const { metadata, status } = object as { metadata: { generation: number }; status?: { observedGeneration?: number } };
      return (status?.observedGeneration ?? 0) >= metadata.generation;
    };

    beforeAll(async () => {
      target = await open();
      server = await openApp({
        'kubernetes.kubeconfig': target.kubeconfigs.admin,
        'security.allowWrites': true,
        'security.allowDestructive': true,
      });
      api = new KubernetesApi(target.kubeconfigs.admin);
      await api.request('/api/v1/namespaces', { method: 'POST', body: { metadata: { name: SPACE } } as never });
      await api.request('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body: widgets as never });
      await api.watchUntil('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', (object) => {
        const { metadata, status } = object as unknown as {
          metadata: { name: string };
          status?: { conditions?: { type: string; status: string }[] };
        };
        return (
          metadata.name === widgets.metadata.name &&
          status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True') === true
        );
      });
      for (let served = 404; served === 404; ) served = (await api.request(collection('Widget'))).status;
      await api.watchUntil(
        '/api/v1/namespaces/suite-changes/serviceaccounts',
        (object) => (object as { metadata: { name: string } }).metadata.name === 'default',
      );
    });
    afterAll(async () => {
      await server?.close();
      await api?.request(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${widgets.metadata.name}`, { method: 'DELETE' });
      await api?.request(`/api/v1/namespaces/${SPACE}`, { method: 'DELETE' });
      await api?.close();
      await target?.close();
    });

    describe.each(Object.entries(CASES))('%s', (_, given) => {
      it('as planned, once, and back again', async () => {
        const { tool, args, says, undo, status } = typeof given === 'function' ? given(target) : given;
        await reset();
        for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet']) {
          const seen = new Set<string>();
          await api.watchUntil(collection(kind), (object) => {
            if (isSettled(object)) seen.add((object as { metadata: { name: string } }).metadata.name);
            return seen.size >= OBJECTS.filter((one) => one.kind === kind).length;
          });
        }
        const toState = (object: unknown): unknown => (status === true ? (object as { status?: unknown })?.status : toWanted(object));

        const plan = await call(tool, args);
        const refs = plan.targets.map(({ ref }) => ref);
        const before = await readAll(refs);
        says?.(plan);
        expect(JSON.stringify(plan)).not.toContain('canary-changes');
        // Planned again it is the same: nothing was changed by planning.
        const again = await call(tool, args);
        expect(withoutMadeUp(again.diff)).toEqual(withoutMadeUp(plan.diff));
        for (const { ref, operation } of plan.targets) expect(before.get(ref) === undefined).toBe(operation === 'create');

        const applied = await call(tool, { ...args, apply: plan.plan });
        expect(applied).toMatchObject({ phase: 'applied', changeId: expect.stringMatching(/^ch_/) });
        const after = await readAll(refs);
        expect(JSON.stringify(applied)).not.toContain('canary-changes');
        for (const { ref, operation } of plan.targets) {
          const rows = plan.diff.filter((row) => row.ref === ref);
          const real = toState(after.get(ref));
          if (operation === 'delete') expect([rows.map(({ after: left }) => left), isGoing(after.get(ref))]).toEqual([[undefined], true]);
          else if (!isSecret(ref)) {
            const start = status === true ? { status: toState(before.get(ref)) } : toState(before.get(ref));
            const planned = rows.reduce<unknown>((object, row) => carryOut(object, row), start);
            expect(fillGenerated(status === true ? (planned as { status: unknown }).status : byName(planned), real)).toEqual(real);
            for (const row of rows.filter(({ path }) => path !== '')) expect(row.before).toEqual(lookUp(start, row.path));
          }
        }
        // The same token again is the same answer.
        expect((await call(tool, { ...args, apply: plan.plan }))['changeId']).toBe(applied['changeId']);

        if (undo !== undefined) {
          const words = applied['undo'] as { tool?: string; possible?: boolean };
          if (refs.length === 1)
            expect(words).toMatchObject(undo === 'delete' ? { tool: 'kubernetes_delete_resource' } : { possible: false });
          for (const ref of undo === 'delete' ? refs : []) await api.request(toApiPath(ref), { method: 'DELETE' });
          return;
        }
        const changeId = applied['changeId'];
        const back = await call('platform_undo_change', { changeId });
        await call('platform_undo_change', { changeId, apply: back.plan });
        const restored = await readAll(refs);
        for (const ref of refs) expect(toState(restored.get(ref))).toEqual(toState(before.get(ref)));
      });
    });

    it('rolls back to an earlier revision, and forward again', async () => {
      await reset();
      const image = async (): Promise<unknown> =>
        lookUp(await api.json(`${collection('Deployment')}/web`), 'spec.template.spec.containers[name=app].image');
      const set = {
        kind: 'deployment',
        name: 'web',
        namespace: SPACE,
        patchType: 'strategic',
        patch: { spec: { template: { spec: { containers: [{ name: 'app', image: 'registry.example.test/app:bad' }] } } } },
      };
      const { plan } = await call('kubernetes_patch_resource', set);
      await call('kubernetes_patch_resource', { ...set, apply: plan });
      await api.watchUntil(`/apis/apps/v1/namespaces/${SPACE}/replicasets?labelSelector=app%3Dweb`, (object) =>
        JSON.stringify(object).includes('app:bad'),
      );
      const undo = { action: 'undo', kind: 'deployment', name: 'web', namespace: SPACE };
      const planned = await call('kubernetes_manage_resource', undo);
      expect(planned['summary']).toBe('Roll Deployment suite-changes/web back from revision 2 to 1');
      expect(planned.diff).toEqual([
        {
          ref: expect.stringContaining('/suite-changes/deployments.apps/web'),
          path: 'spec.template.spec.containers[name=app].image',
          before: 'registry.example.test/app:bad',
          after: 'registry.example.test/app:1',
        },
      ]);
      const applied = await call('kubernetes_manage_resource', { ...undo, apply: planned.plan });
      expect(await image()).toBe('registry.example.test/app:1');
      const back = await call('platform_undo_change', { changeId: applied['changeId'] });
      await call('platform_undo_change', { changeId: applied['changeId'], apply: back.plan });
      expect(await image()).toBe('registry.example.test/app:bad');
      expect(await failure('kubernetes_manage_resource', { ...undo, revision: 77 })).toMatchObject({
        code: 'NOT_FOUND',
        details: { choices: expect.any(Array) },
      });
    });

    it('answers CONFLICT with the new diff when another changed the object, and not when it only reported its status', async () => {
      await reset();
      const args = { action: 'scale', kind: 'widget', name: 'thing', namespace: SPACE, replicas: 5 };
      const first = await call('kubernetes_manage_resource', args);
      const path = `${collection('Widget')}/thing`;
      const merge = { method: 'PATCH', contentType: 'application/merge-patch+json' };
      await api.json(`${path}/status`, { ...merge, body: { status: { phase: 'Busy' } } });
      expect(await call('kubernetes_manage_resource', { ...args, apply: first.plan })).toMatchObject({ phase: 'applied' });
      const second = await call('kubernetes_manage_resource', { ...args, replicas: 6 });
      await api.json(path, { ...merge, body: { spec: { replicas: 9 } } });
      const error = await failure('kubernetes_manage_resource', { ...args, replicas: 6, apply: second.plan });
      expect(error).toMatchObject({ code: 'CONFLICT', details: { diff: [{ path: 'spec.replicas', before: 9, after: 6 }] } });
      expect(lookUp(await api.json(path), 'spec.replicas')).toBe(9);
      expect(await call('kubernetes_manage_resource', { ...args, replicas: 6, apply: error.details['plan'] })).toMatchObject({
        phase: 'applied',
      });
      expect(lookUp(await api.json(path), 'spec.replicas')).toBe(6);
    });

    it('takes nothing back that another has changed since, and says who', async () => {
      await reset();
      const args = { kind: 'configmap', name: 'settings', namespace: SPACE, patch: { data: { color: 'red' } } };
      const { plan } = await call('kubernetes_patch_resource', args);
      const { changeId } = await call('kubernetes_patch_resource', { ...args, apply: plan });
      const path = `${collection('ConfigMap')}/settings?fieldManager=somebody`;
      await api.json(path, { method: 'PATCH', contentType: 'application/merge-patch+json', body: { data: { other: 'kept' } } });
      const plain = await call('platform_undo_change', { changeId });
      expect(plain.diff).toMatchObject([{ path: 'data.color', before: 'red', after: 'blue' }]);
      await api.json(path, { method: 'PATCH', contentType: 'application/merge-patch+json', body: { data: { color: 'green' } } });
      const error = await failure('platform_undo_change', { changeId, apply: plain.plan });
      expect(error).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('somebody') });
      expect(lookUp(await api.json(path), 'data')).toMatchObject({ color: 'green', other: 'kept' });
    });

    it('tells by owner which fields belong to others, and takes them over only when it is asked to', async () => {
      await reset();
      const manifest = JSON.stringify({ ...workload('Deployment', 'web', { replicas: 7 }), metadata: { name: 'web', namespace: SPACE } });
      const refused = await call('kubernetes_apply_manifest', { manifest });
      expect(refused.plan).toBeUndefined();
      expect(refused['checks']).toMatchObject([
        { name: 'field ownership', result: 'fail', detail: expect.stringMatching(/spec\.replicas \(suite\)/) },
      ]);
      expect(refused.diff).toMatchObject([{ path: 'spec.replicas', before: 2, after: 7 }]);
      const { plan } = await call('kubernetes_apply_manifest', { manifest, force: true });
      // The manifest is bulky: the server still holds it.
      await call('kubernetes_apply_manifest', { force: true, apply: plan });
      const { spec } = (await api.json(`${collection('Deployment')}/web`)) as unknown as {
        spec: { replicas: number; template: { spec: { containers: Fields[] } } };
      };
      expect(spec.replicas).toBe(7);
      expect(spec.template.spec.containers[0]).toMatchObject({ resources: { limits: { memory: '64Mi' } } });
    });

    it('applies kinds and namespaces together with what needs them, in an order that works', async () => {
      const manifest = [configMap('inside', { a: '1' }), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'suite-brought' } }];
      manifest[0] = { ...manifest[0], metadata: { name: 'inside', namespace: 'suite-brought' } } as never;
      const args = { manifest: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifest }) };
      const planned = await call('kubernetes_apply_manifest', args);
      expect(planned.targets.map(({ ref }) => ref.split('/').slice(-2).join('/'))).toEqual([
        'namespaces/suite-brought',
        'configmaps/inside',
      ]);
      expect(planned.warnings).toEqual([expect.stringContaining('could not be tried before')]);
      expect(await call('kubernetes_apply_manifest', { ...args, apply: planned.plan })).toMatchObject({ verification: { result: 'pass' } });
      await api.request('/api/v1/namespaces/suite-brought', { method: 'DELETE' });
    });

    it('says what was done and what not when a manifest fails half-way', async () => {
      await reset();
      const manifest = [configMap('first', { a: '1' }), configMap('settings', { color: 'pink' })]
        .map((one) => JSON.stringify(one))
        .join('\n---\n');
      const { plan } = await call('kubernetes_apply_manifest', { manifest, force: true });
      // Between plan and apply nothing changes, between the first and the second object the second is made immutable: its write is refused.
      const stop = api.watchUntil(
        `${collection('ConfigMap')}`,
        (object) => (object as { metadata: { name: string } }).metadata.name === 'first',
      );
      const freeze = stop.then(() =>
        api.request(`${collection('ConfigMap')}/settings`, {
          method: 'PATCH',
          contentType: 'application/merge-patch+json',
          body: { immutable: true },
        }),
      );
      const [outcome] = await Promise.all([
        server.call('kubernetes_apply_manifest', { force: true, apply: plan }).catch((error: AppError) => error),
        freeze,
      ]);
      // Who was first is not ours to say: either both were written, or the answer tells which was not.
      if ('code' in outcome) {
        expect(outcome).toMatchObject({
          code: 'FAILED_PRECONDITION',
          details: { done: ['ConfigMap suite-changes/first'], notDone: ['ConfigMap suite-changes/settings'] },
        });
      } else expect(outcome.structured).toMatchObject({ phase: 'applied' });
      await api.request(`${collection('ConfigMap')}/first`, { method: 'DELETE' });
    });

    it.each([
      ['an unknown action', 'kubernetes_manage_resource', { action: 'explode', kind: 'deployment', name: 'web' }, 'INVALID_ARGUMENT'],
      [
        'an action that the kind does not take',
        'kubernetes_manage_resource',
        { action: 'restart', kind: 'configmap', name: 'settings' },
        'INVALID_ARGUMENT',
      ],
      ['scaling without a number', 'kubernetes_manage_resource', { action: 'scale', kind: 'deployment', name: 'web' }, 'INVALID_ARGUMENT'],
      [
        'scaling what has no scale',
        'kubernetes_manage_resource',
        { action: 'scale', kind: 'configmap', name: 'settings', replicas: 1 },
        'INVALID_ARGUMENT',
      ],
      ['what is not there', 'kubernetes_manage_resource', { action: 'restart', kind: 'deployment', name: 'nope' }, 'NOT_FOUND'],
      ['a patch that is none', 'kubernetes_patch_resource', { kind: 'configmap', name: 'settings', patch: 'hello' }, 'INVALID_ARGUMENT'],
      [
        'a strategic patch of a custom kind',
        'kubernetes_patch_resource',
        { kind: 'widget', name: 'thing', patchType: 'strategic', patch: {} },
        'UNSUPPORTED',
      ],
      [
        'a patch of a field that no kind has',
        'kubernetes_patch_resource',
        { kind: 'configmap', name: 'settings', patch: { dta: {} } },
        'INVALID_ARGUMENT',
      ],
      [
        'a patch of another type',
        'kubernetes_patch_resource',
        { kind: 'deployment', name: 'web', patch: { spec: { replicas: 'many' } } },
        'INVALID_ARGUMENT',
      ],
      ['no manifest', 'kubernetes_apply_manifest', {}, 'INVALID_ARGUMENT'],
      ['a manifest without objects', 'kubernetes_apply_manifest', { manifest: '---\n---\n' }, 'INVALID_ARGUMENT'],
      ['a manifest that is no YAML', 'kubernetes_apply_manifest', { manifest: 'a: b: c' }, 'INVALID_ARGUMENT'],
      ['a manifest without a name', 'kubernetes_apply_manifest', { manifest: 'apiVersion: v1\nkind: ConfigMap' }, 'INVALID_ARGUMENT'],
      [
        'a manifest of a kind that is not there',
        'kubernetes_apply_manifest',
        { manifest: 'apiVersion: v1\nkind: Nope\nmetadata: {name: a}' },
        'INVALID_ARGUMENT',
      ],
      [
        'the same object twice',
        'kubernetes_apply_manifest',
        { manifest: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}' },
        'INVALID_ARGUMENT',
      ],
      [
        'a bomb of aliases',
        'kubernetes_apply_manifest',
        {
          manifest: `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
            .split('')
            .map((key, at) => `${key}: &${key} [${Array(10).fill(`*${'abcdefghij'[at]}`).join(',')}]`)
            .join('\n')}`,
        },
        'INVALID_ARGUMENT',
      ],
      [
        'more objects than are applied at once',
        'kubernetes_apply_manifest',
        { manifest: Array.from({ length: 51 }, (_, at) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a${at}}`).join('\n---\n') },
        'INVALID_ARGUMENT',
      ],
      ['a manifest above its size', 'kubernetes_apply_manifest', { manifest: `# ${'x'.repeat(1_100_000)}` }, 'PAYLOAD_TOO_LARGE'],
      ['neither a name nor a selector', 'kubernetes_delete_resource', { kind: 'configmap' }, 'INVALID_ARGUMENT'],
      ['a name and a selector', 'kubernetes_delete_resource', { kind: 'configmap', name: 'a', labelSelector: 'a=b' }, 'INVALID_ARGUMENT'],
      ['a selector that matches nothing', 'kubernetes_delete_resource', { kind: 'configmap', labelSelector: 'nothing=here' }, 'NOT_FOUND'],
      ['a subresource', 'kubernetes_delete_resource', { kind: 'deployments/scale', name: 'web' }, 'INVALID_ARGUMENT'],
      ['a namespace', 'kubernetes_delete_resource', { kind: 'namespace', name: SPACE }, 'FORBIDDEN'],
      ['a change that is not there', 'platform_undo_change', { changeId: 'ch_nope' }, 'NOT_FOUND'],
    ])('refuses %s', async (_, tool, args, code) => {
      const scope = tool === 'platform_undo_change' || tool === 'kubernetes_apply_manifest' ? {} : { namespace: SPACE };
      const error = await failure(tool, { ...scope, ...args });
      expect(error.code).toBe(code);
      expect(error.message).not.toMatch(/undefined|\[object/);
    });

    it('lets a reader plan nothing that the API server would refuse', async () => {
      await reset();
      const reader = await openApp({
        'kubernetes.kubeconfig': target.kubeconfigs.viewer,
        'security.allowWrites': true,
        'security.allowDestructive': true,
      });
      for (const { tool, args } of [
        CASES['scales a Deployment'],
        CASES['merges labels with odd names'],
        CASES['deletes one object'],
        CASES['creates by a manifest'],
      ] as Case[])
        await expect(reader.call(tool, args)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { missing: expect.anything() } });
      await reader.close();
    });
  });
};

/** With every plan a Job that is run by hand gets another name, and a restart the time of now. */
const withoutMadeUp = (diff: readonly Row[]): unknown =>
  JSON.parse(
    JSON.stringify(diff)
      .replace(/-manual-\w{5}/g, '-manual-x')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'now'),
  );

const isSecret = (ref: string): boolean => ref.includes('/secrets/');

/** Gone, or on its way. */
const isGoing = (object: unknown): boolean =>
  object === undefined || (object as { metadata: { deletionTimestamp?: string } }).metadata.deletionTimestamp !== undefined;
