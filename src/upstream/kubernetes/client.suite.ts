// What the client promises, to be run against every Kubernetes there is: the embedded one and real ones. The objects of `SUITE_OBJECTS` stand in it.
import { expect, it } from 'vitest';
import { AppError } from '../../kit/errors.ts';
import type { KubernetesClient } from './client.ts';
import { kindOf, nameOf, textAt } from './objects.ts';
import { RESOURCES } from './resources.ts';

export const SUITE_NAMESPACE = 'client-suite';

const configMap = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: SUITE_NAMESPACE, labels },
  data: { key: name },
});

export const SUITE_OBJECTS = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SUITE_NAMESPACE } },
  ...[1, 2, 3, 4, 5, 6, 7].map((number) => configMap(`suite-${number}`, { suite: 'yes', parity: number % 2 === 0 ? 'even' : 'odd' })),
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'suite:with:colons' }, rules: [] },
];

export interface SuiteBackend {
  /** A client of this user, who has these rights: everything; reading without Secrets; nothing. */
  open(user: 'admin' | 'viewer' | 'nobody', options?: { readonly namespaces?: readonly string[] }): Promise<KubernetesClient>;
}

const signal = new AbortController().signal;
const suite = { namespace: SUITE_NAMESPACE, labelSelector: 'suite=yes', signal };

export const failureOf = async (promise: Promise<unknown>): Promise<AppError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
};

export const defineClientSuite = ({ open }: SuiteBackend): void => {
  it.each([
    ['pods', '', 'Pod', undefined],
    ['Pod', '', 'Pod', undefined],
    ['po', '', 'Pod', undefined],
    ['CM', '', 'ConfigMap', undefined],
    ['v1/Pod', '', 'Pod', undefined],
    ['pods/log', '', 'Pod', 'log'],
    ['v1/pods/exec', '', 'Pod', 'exec'],
    ['deploy', 'apps', 'Deployment', undefined],
    ['deployments.apps', 'apps', 'Deployment', undefined],
    ['deployments.v1.apps', 'apps', 'Deployment', undefined],
    ['apps/v1/Deployment', 'apps', 'Deployment', undefined],
    ['apps/deployments', 'apps', 'Deployment', undefined],
    ['Deployments.apps/Scale', 'apps', 'Deployment', 'scale'],
    ['apps/v1/deployments/scale', 'apps', 'Deployment', 'scale'],
    ['event', '', 'Event', undefined],
    ['events.events.k8s.io', 'events.k8s.io', 'Event', undefined],
    ['ing', 'networking.k8s.io', 'Ingress', undefined],
    ['hpa', 'autoscaling', 'HorizontalPodAutoscaler', undefined],
    ['nodes', '', 'Node', undefined],
  ])('finds the kind behind %s', async (text, group, kind, subresource) => {
    const { resource, ...found } = await (await open('admin')).resolveKind(text, { signal });
    expect({ group: resource.group, kind: resource.kind, ...found }).toEqual({ group, kind, subresource });
  });

  it('takes the preferred version, and any other by name', async () => {
    const client = await open('admin');
    expect((await client.resolveKind('hpa', { signal })).resource.version).toBe('v2');
    expect((await client.resolveKind('autoscaling/v1/hpa', { signal })).resource.version).toBe('v1');
  });

  it('every kind that is known here is served as it is known here', async () => {
    const client = await open('admin');
    for (const resource of Object.values(RESOURCES)) {
      const found = await client.resolveKind(`${resource.plural}${resource.group === '' ? '' : `.${resource.group}`}`, { signal });
      expect(found.resource).toMatchObject(resource);
    }
  });

  it.each([
    ['deploymnt', ['Deployment', 'deployments']],
    ['pdo', ['Pod', 'pods']],
    ['nope.example.com', []],
  ])('answers the unknown kind %s with the nearest', async (text, nearest) => {
    const error = await failureOf((await open('admin')).resolveKind(text, { signal }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'kind' } });
    expect(error.details['nearest']).toEqual(expect.arrayContaining(nearest));
  });

  it('answers an unknown subresource with those there are', async () => {
    const error = await failureOf((await open('admin')).resolveKind('pods/lgo', { signal }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { nearest: ['pods/log'] } });
  });

  it('pages through a list and counts what remains', async () => {
    const client = await open('admin');
    const all = { namespace: SUITE_NAMESPACE, signal };
    const first = await client.list(RESOURCES.configmaps, { ...all, limit: 3 });
    expect(first.items).toHaveLength(3);
    expect(first.items.map(kindOf)).toEqual(['ConfigMap', 'ConfigMap', 'ConfigMap']);
    const { total, isExact } = await client.count(RESOURCES.configmaps, all);
    expect({ remaining: first.remaining, isExact }).toEqual({ remaining: total - 3, isExact: true });
    const second = await client.list(RESOURCES.configmaps, { ...all, limit: 500, continue: first.continue });
    expect(second).toMatchObject({ remaining: 0, continue: undefined });
    expect(second.items).toHaveLength(total - 3);
  });

  it('does not invent a count where the server gives none', async () => {
    const client = await open('admin');
    const page = await client.list(RESOURCES.configmaps, { ...suite, limit: 2 });
    expect(page.items).toHaveLength(2);
    expect(page.remaining).toBeUndefined();
    expect(await client.count(RESOURCES.configmaps, suite)).toEqual({ total: 7, isExact: true });
    expect(await client.count(RESOURCES.configmaps, { ...suite, pageSize: 2, maxItems: 4 })).toEqual({ total: 4, isExact: false });
  });

  it('walks over all pages, and stops at its bound with the token of the next', async () => {
    const client = await open('admin');
    const sizes: number[] = [];
    const whole = await client.eachPage(RESOURCES.configmaps, { ...suite, pageSize: 3 }, ({ items }) => void sizes.push(items.length));
    expect(sizes).toEqual([3, 3, 1]);
    expect(whole.continue).toBeUndefined();
    const { items, ...end } = await client.listAll(RESOURCES.configmaps, { ...suite, pageSize: 2, maxItems: 5 });
    expect(items.map(nameOf)).toEqual(['suite-1', 'suite-2', 'suite-3', 'suite-4', 'suite-5']);
    expect(end.continue).toBeDefined();
    const rest = await client.list(RESOURCES.configmaps, { ...suite, continue: end.continue });
    expect(rest.items.map(nameOf)).toEqual(['suite-6', 'suite-7']);
  });

  it('lists tables with and without their objects, and metadata alone', async () => {
    const client = await open('admin');
    const light = await client.listTable(RESOURCES.configmaps, suite);
    expect(light.columns.map(({ name }) => name)).toEqual(['Name', 'Data', 'Age']);
    expect(light.rows.map(({ cells }) => cells.slice(0, 2))).toEqual([1, 2, 3, 4, 5, 6, 7].map((number) => [`suite-${number}`, 1]));
    expect(light.rows.every(({ object }) => object === undefined)).toBe(true);
    const full = await client.listTable(RESOURCES.configmaps, { ...suite, includeObject: 'Metadata', limit: 1 });
    expect(full.rows.map(({ object }) => textAt(object, 'metadata', 'namespace'))).toEqual([SUITE_NAMESPACE]);
    const { items } = await client.listMetadata(RESOURCES.configmaps, suite);
    expect(items.map(nameOf)).toHaveLength(7);
    expect(items.every((item) => item['data'] === undefined && kindOf(item) === 'ConfigMap')).toBe(true);
    const sizes: number[] = [];
    await client.eachTablePage(RESOURCES.configmaps, { ...suite, pageSize: 4 }, ({ rows }) => void sizes.push(rows.length));
    expect(sizes).toEqual([4, 3]);
  });

  it('selects by labels and fields, and passes a refusal on', async () => {
    const client = await open('admin');
    const even = await client.list(RESOURCES.configmaps, { ...suite, labelSelector: 'suite in (yes),parity=even' });
    expect(even.items.map(nameOf)).toEqual(['suite-2', 'suite-4', 'suite-6']);
    const one = await client.list(RESOURCES.configmaps, { namespace: SUITE_NAMESPACE, fieldSelector: 'metadata.name=suite-3', signal });
    expect(one.items.map(nameOf)).toEqual(['suite-3']);
    expect((await failureOf(client.list(RESOURCES.configmaps, { ...suite, labelSelector: 'a in (' }))).code).toBe('INVALID_ARGUMENT');
    const error = await failureOf(client.list(RESOURCES.configmaps, { ...suite, fieldSelector: 'data.key=x' }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error.details['upstream']).toContain('data.key');
  });

  it('gets one, many, and the table row of one', async () => {
    const client = await open('admin');
    const at = { namespace: SUITE_NAMESPACE, signal };
    expect(await client.get(RESOURCES.configmaps, { ...at, name: 'suite-1' })).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      data: { key: 'suite-1' },
    });
    expect(await client.find(RESOURCES.configmaps, { ...at, name: 'absent' })).toBeUndefined();
    const many = await client.getMany(RESOURCES.configmaps, { ...at, names: ['suite-2', 'absent', 'suite-1', 'suite-2'] });
    expect([many.items.map(nameOf), many.missing]).toEqual([['suite-2', 'suite-1'], ['absent']]);
    const { row } = await client.getTable(RESOURCES.configmaps, { ...at, name: 'suite-1' });
    expect(row?.cells.slice(0, 2)).toEqual(['suite-1', 1]);
    expect(nameOf(await client.get(RESOURCES.clusterroles, { name: 'suite:with:colons', signal }))).toBe('suite:with:colons');
  });

  it('tells an absent object from an absent namespace and an absent kind', async () => {
    const client = await open('admin');
    expect(await failureOf(client.get(RESOURCES.pods, { name: 'absent', namespace: SUITE_NAMESPACE, signal }))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'pods/absent does not exist.',
    });
    expect(await failureOf(client.get(RESOURCES.pods, { name: 'absent', namespace: 'nowhere', signal }))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'The namespace nowhere does not exist.',
      details: { reason: 'NAMESPACE_ABSENT' },
    });
    const absent = { ...RESOURCES.pods, group: 'nope.example.com', plural: 'things' };
    expect(await failureOf(client.list(absent, { signal }))).toMatchObject({
      code: 'UNSUPPORTED',
      details: { needs: 'things.nope.example.com' },
    });
    expect(await failureOf(client.list({ ...RESOURCES.deployments, plural: 'things' }, { signal }))).toMatchObject({
      code: 'UNSUPPORTED',
      details: { reason: 'API_ABSENT' },
    });
  });

  it.each(['web/log', '..', '', 'a%2Fb', 'x'.repeat(254)])('never sends the name %j', async (name) => {
    const error = await failureOf((await open('admin')).get(RESOURCES.pods, { name, namespace: SUITE_NAMESPACE, signal }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'name' } });
  });

  it('names user, verb, resource and namespace of a refusal', async () => {
    const client = await open('nobody');
    const error = await failureOf(client.list(RESOURCES.deployments, { namespace: SUITE_NAMESPACE, signal }));
    expect(error).toMatchObject({
      code: 'FORBIDDEN',
      details: { by: 'rbac', missing: { verb: 'list', resource: 'deployments', group: 'apps', namespace: SUITE_NAMESPACE } },
    });
    expect(error.message).toMatch(/ may not list deployments\.apps in namespace client-suite\.$/);
    expect((await failureOf(client.list(RESOURCES.nodes, { signal }))).message).toMatch(/ may not list nodes in the whole cluster\.$/);
  });

  it('reaches no namespace but those that the operator allows', async () => {
    const client = await open('admin', { namespaces: [SUITE_NAMESPACE] });
    expect(client.defaultNamespace).toBe(SUITE_NAMESPACE);
    expect((await client.list(RESOURCES.configmaps, suite)).items).toHaveLength(7);
    const refusals = [
      client.list(RESOURCES.configmaps, { signal }),
      client.list(RESOURCES.configmaps, { namespace: 'kube-system', signal }),
      client.get(RESOURCES.pods, { name: 'x', namespace: 'kube-system', signal }),
      client.podLogs({ name: 'x', namespace: 'kube-system', signal }),
      client.remove(RESOURCES.pods, { name: 'x', namespace: 'kube-system', signal }),
    ];
    for (const refusal of refusals) {
      expect(await failureOf(refusal)).toMatchObject({
        code: 'FORBIDDEN',
        details: { by: 'policy', allowedNamespaces: [SUITE_NAMESPACE] },
      });
    }
    expect((await client.list(RESOURCES.namespaces, { signal })).items.length).toBeGreaterThan(0);
  });

  it('is cancelled with its caller', async () => {
    const client = await open('admin');
    expect((await failureOf(client.list(RESOURCES.configmaps, { ...suite, signal: AbortSignal.abort() }))).code).toBe('CANCELLED');
  });
};

/** Questions to the server about itself and about rights. */
export const defineReviewSuite = ({ open }: SuiteBackend): void => {
  it('knows version, readiness and its own identity', async () => {
    const client = await open('admin');
    expect((await client.version({ signal })).gitVersion).toMatch(/^v1\.\d+\.\d+/);
    expect((await client.version({ signal })).minor).toBeGreaterThanOrEqual(28);
    expect(await client.readyz({ signal })).toMatchObject({ ready: true });
    expect((await client.selfSubjectReview({ signal })).groups).toContain('system:authenticated');
  });

  it('asks for its rights, and for those of others', async () => {
    const [admin, viewer] = [await open('admin'), await open('viewer')];
    const pods = { verb: 'list', resource: 'pods', namespace: SUITE_NAMESPACE };
    expect(await viewer.accessReview(pods, { signal })).toMatchObject({ allowed: true });
    expect(await viewer.accessReview({ ...pods, resource: 'secrets' }, { signal })).toMatchObject({ allowed: false });
    expect(await viewer.accessReview({ ...pods, verb: 'get', subresource: 'log' }, { signal })).toMatchObject({ allowed: true });
    expect((await failureOf(viewer.subjectAccessReview({ user: 'x' }, pods, { signal }))).code).toBe('FORBIDDEN');
    expect(await admin.subjectAccessReview({ user: 'x', groups: ['system:masters'] }, pods, { signal })).toMatchObject({ allowed: true });
    expect(await admin.subjectAccessReview({ user: 'x' }, pods, { signal })).toMatchObject({ allowed: false });
    const { resourceRules } = await viewer.rulesReview({ namespace: SUITE_NAMESPACE, signal });
    expect(resourceRules.some(({ resources, verbs }) => resources.includes('pods') && verbs.includes('list'))).toBe(true);
  });

  it('has the OpenAPI document of a group', async () => {
    const client = await open('admin');
    const document = await client.openapi({ group: 'apps', version: 'v1' }, { signal });
    expect(textAt(document, 'components', 'schemas', 'io.k8s.api.apps.v1.Deployment', 'type')).toBe('object');
    expect((await failureOf(client.openapi({ group: 'nope.example.com', version: 'v1' }, { signal }))).code).toBe('UNSUPPORTED');
  });
};
