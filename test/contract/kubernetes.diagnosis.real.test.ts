// Real containers on a real node: what goes wrong there is diagnosed from the live cluster, and usage is known without metrics-server.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { apply, createNamespace, deleteNamespace, readBed } from '../backends/kubernetes/bed.ts';
import { withoutMetricsApi } from '../backends/kubernetes/metrics-api.ts';
import { openApp, type Shop } from '../support/shop.ts';
import { checkField, type Item } from './faults.suite.ts';

const bed = readBed();
const shell = (command: string, more: object = {}): object => ({
  image: bed.image,
  imagePullPolicy: 'Never',
  command: ['sh', '-c', command],
  ...more,
});
const fails = { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 };

interface RealFault {
  readonly name: string;
  /** The container `main`. */
  readonly main: object;
  readonly spec?: object;
  readonly reason: RegExp;
  readonly field: RegExp;
  readonly value: string | RegExp;
  readonly says?: RegExp;
}

const MAIN = String.raw`spec\.template\.spec\.containers\[\?name=main\]`;

const FAULTS: readonly RealFault[] = [
  {
    name: 'crasher',
    main: shell('echo about to fail; exit 3'),
    reason: /^CrashLoop/,
    field: /tate\.terminated\.exitCode$/,
    value: '3',
    says: /last exit Error \(exit 3\)/,
  },
  {
    name: 'greedy',
    main: shell('head -c 200m /dev/zero | tail', { resources: { limits: { memory: '16Mi' } } }),
    reason: /OOMKilled/,
    field: new RegExp(`${MAIN}.resources.limits.memory`),
    value: '16Mi',
    says: /memory limit 16Mi/,
  },
  {
    name: 'unready',
    main: shell('sleep 1000', { readinessProbe: { ...fails, exec: { command: ['sh', '-c', 'exit 1'] } } }),
    reason: /^ReadinessProbeFailed$/,
    field: new RegExp(`${MAIN}.readinessProbe.exec.command\\[0\\]`),
    value: 'sh',
  },
  {
    name: 'unlively',
    main: shell('sleep 1000', { livenessProbe: { ...fails, initialDelaySeconds: 1 } }),
    reason: /^LivenessProbeFailed$/,
    field: new RegExp(`${MAIN}.livenessProbe.exec.command\\[0\\]`),
    value: 'false',
  },
  {
    name: 'imageless',
    main: { image: 'registry.invalid/shop/web:1', imagePullPolicy: 'IfNotPresent' },
    reason: /^(ErrImagePull|ImagePullBackOff)$/,
    field: new RegExp(`${MAIN}.image`),
    value: 'registry.invalid/shop/web:1',
  },
  {
    name: 'never-pulled',
    main: { image: 'docker.io/local/absent:1', imagePullPolicy: 'Never' },
    reason: /^ErrImageNeverPull$/,
    field: new RegExp(`${MAIN}.image`),
    value: 'docker.io/local/absent:1',
  },
  {
    name: 'unconfigured',
    main: shell('sleep 1000', { envFrom: [{ configMapRef: { name: 'settings' } }] }),
    reason: /^CreateContainerConfigError$/,
    field: new RegExp(`${MAIN}.envFrom\\[0\\].configMapRef.name`),
    value: 'settings',
  },
  {
    name: 'keyless',
    main: shell('sleep 1000', { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'passwort' } } }] }),
    reason: /^CreateContainerConfigError$/,
    field: new RegExp(`${MAIN}.env\\[\\?name=PASSWORD\\].valueFrom.secretKeyRef.key`),
    value: 'passwort',
  },
  {
    name: 'volumeless',
    main: shell('sleep 1000', { volumeMounts: [{ name: 'tls', mountPath: '/tls' }] }),
    spec: { volumes: [{ name: 'tls', secret: { secretName: 'web-tls' } }] },
    reason: /^FailedMount$/,
    field: /volumes\[\?name=tls\]\.secret\.secretName/,
    value: 'web-tls',
  },
  {
    name: 'mistyped',
    main: { image: bed.image, imagePullPolicy: 'Never', command: ['/bin/no-such-program'] },
    reason: /^(RunContainerError|CrashLoop|StartError)/,
    field: /(waiting\.reason|terminated\.exitCode)$/,
    value: /./,
    says: /no-such-program|StartError|exit 128/,
  },
];

const manifest = (namespace: string, { name, main, spec }: Pick<RealFault, 'name' | 'main' | 'spec'>): object => {
  const labels = { app: name };
  const container = { name: 'main', ...main };
  const pod = {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    nodeName: bed.node.name,
    containers: [container],
    ...spec,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
  };
};

describe('real containers that go wrong', () => {
  const api = new KubernetesApi(bed.kubeconfigs.admin);
  let server: Omit<Shop, 'embedded'>;
  let space: string;
  const find = async (): Promise<{ items: readonly Item[]; tokens: number }> => {
    const { structured, text } = await server.call('kubernetes_find_problems', { namespace: space });
    const tokens = Math.max(countTokens(text), countTokens(JSON.stringify(structured)));
    return { items: structured['problems'] as Item[], tokens };
  };

  beforeAll(async () => {
    space = await createNamespace(api, 'wrong');
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login', namespace: space }, stringData: { password: 'x' } };
    const healthy = {
      name: 'healthy',
      main: shell('sleep 1000', { resources: { requests: { memory: '8Mi' }, limits: { memory: '64Mi' } } }),
    };
    const objects = [secret, ...[...FAULTS, healthy].map((fault) => manifest(space, fault))];
    await apply(bed, objects.map((one) => stringify(one)).join('---\n'));
    // A container that runs gets a minute to become ready: two have passed for this server.
    server = await openApp({ 'kubernetes.kubeconfig': bed.kubeconfigs.admin }, () => Date.now() + 120_000);
  });
  afterAll(async () => {
    await server?.close();
    await deleteNamespace(api, space);
    await api.close();
  });

  it.each(FAULTS)('$name', async ({ name, reason, field, value, says }) => {
    const item = await vi.waitFor(
      async () => {
        const own = (await find()).items.filter(({ ref }) => ref === `deployment/${name}`);
        expect(own).toHaveLength(1);
        expect(own[0]).toMatchObject({ reason: expect.stringMatching(reason), field: expect.stringMatching(field) });
        expect(own[0]?.value).toEqual(typeof value === 'string' ? value : expect.stringMatching(value));
        return own[0] as Item;
      },
      { timeout: 75_000, interval: 1000 },
    );
    if (says !== undefined) expect(`${item.detail}\n${(item.evidence ?? []).join('\n')}`).toMatch(says);
    // The state of a container moves on between two looks; what a person wrote stays.
    if (item.field.startsWith('spec.')) await checkField(server, item, space);
  });

  it('are ten problems, no more, in one answer within its tokens; what works is none', async () => {
    const { items, tokens } = await find();
    expect(items.map(({ ref }) => ref).toSorted()).toEqual(FAULTS.map(({ name }) => `deployment/${name}`).toSorted());
    expect(tokens).toBeLessThanOrEqual(4000);
  });

  it('can be diagnosed one by one, and the log of the last run is a call away', async () => {
    const { structured } = await server.call('kubernetes_find_problems', { kind: 'deployment', name: 'crasher', namespace: space });
    expect(structured).toMatchObject({ result: 'fail', cause: { reason: expect.stringMatching(/^CrashLoop/) } });
    const crasher = (await find()).items.find(({ ref }) => ref === 'deployment/crasher');
    if (crasher === undefined) throw new Error('the crash is not found');
    expect((await server.call(crasher.next.tool, crasher.next.arguments)).text).toContain('about to fail');
  });
});

describe('usage from the kubelet alone', () => {
  const api = new KubernetesApi(bed.kubeconfigs.admin);
  let server: Omit<Shop, 'embedded'>;
  let restore: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    restore = await withoutMetricsApi(api);
    server = await openApp({ 'kubernetes.kubeconfig': bed.kubeconfigs.admin });
  });
  afterAll(async () => {
    await server?.close();
    await restore?.();
    await api.close();
  });

  it('shows the node in one call of at most a thousand tokens', async () => {
    const { structured, text } = await server.call('kubernetes_get_usage', { scope: 'node' });
    expect(structured['source']).toBe('kubelet');
    const row = (structured['rows'] as string[][]).find(([name]) => name === bed.node.name);
    expect(row?.[5]).toMatch(/^\d+(\.\d+)?[KMG]i$/);
    expect(Math.max(countTokens(text), countTokens(JSON.stringify(structured)))).toBeLessThanOrEqual(1000);
  });

  it('shows containers that run there with what they use and may use', async () => {
    const space = await createNamespace(api, 'usage');
    const main = shell('sleep 1000', { resources: { requests: { memory: '8Mi' }, limits: { memory: '64Mi' } } });
    await apply(bed, stringify(manifest(space, { name: 'sleeper', main })));
    const row = await vi.waitFor(
      async () => {
        const { structured } = await server.call('kubernetes_get_usage', { scope: 'container', namespace: space });
        expect(structured['source']).toBe('kubelet');
        const found = (structured['rows'] as string[][])[0];
        expect(found?.[5]).toMatch(/^\d+(\.\d+)?[KM]i$/);
        return found;
      },
      { timeout: 75_000, interval: 1000 },
    );
    expect(row?.[0]).toMatch(/^sleeper-.*\/main$/);
    expect(row?.slice(6, 8)).toEqual(['8Mi', '64Mi']);
    await deleteNamespace(api, space);
  });
});
