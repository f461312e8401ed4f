// The same writes, one after another, on a real API server without controllers and on the embedded one: every answer is the same, word for word.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes, shopObjects } from '../../src/embedded/kubernetes/index.ts';
import type { Json } from '../backends/backend.ts';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { readMirror } from '../backends/kubernetes/bed.ts';

const NAMESPACE = 'mirrored-writes';
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';

const DEPLOYMENTS = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
const MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const TINY = `${DEPLOYMENTS}/tiny`;
const MAP = `${MAPS}/map`;

interface Question {
  readonly method?: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Json;
}

const deployment = (spec: { [key: string]: Json } = {}, container: { [key: string]: Json } = {}): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'tiny' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'main', image: 'i:1', ports: [{ containerPort: 80 }], ...container }] },
    },
    ...spec,
  },
});

const map = (data: { [key: string]: Json }, metadata: { [key: string]: Json } = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'map', ...metadata },
  data,
});

const scale = (replicas: number): Json => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'tiny' }, spec: { replicas } });

const apply = (path: string, body: Json, query = 'fieldManager=one'): Question => ({
  method: 'PATCH',
  path: `${path}?${query}`,
  contentType: APPLY,
  body,
});
const patch = (path: string, contentType: string, body: Json, query = 'fieldManager=other'): Question => ({
  method: 'PATCH',
  path: `${path}?${query}`,
  contentType,
  body,
});
const remove = (path: string, body?: Json): Question => ({ method: 'DELETE', path, ...(body === undefined ? {} : { body }) });
const containers = (...items: Json[]): Json => ({ spec: { template: { spec: { containers: items } } } });

const QUESTIONS: readonly (readonly [string, Question])[] = [
  ['apply without a manager', apply(TINY, deployment(), '')],
  ['apply nothing', apply(TINY, {})],
  ['apply another kind', apply(TINY, { ...(deployment() as object), kind: 'DaemonSet' })],
  ['apply an unknown field', apply(TINY, deployment({ nonsense: 1 }))],
  ['apply a wrong type', apply(TINY, deployment({ replicas: 'x' }))],
  ['apply an item twice', apply(TINY, deployment({}, { env: [{ name: 'A' }, { name: 'A' }] }))],
  ['apply under another name', apply(TINY, { ...(deployment() as object), metadata: { name: 'other' } })],
  ['apply, dry', apply(TINY, deployment(), 'fieldManager=one&dryRun=All')],
  ['apply', apply(TINY, deployment())],
  ['apply the same by another', apply(TINY, deployment(), 'fieldManager=two')],
  ['apply against one', apply(TINY, deployment({ replicas: 3 }), 'fieldManager=two')],
  ['apply against several fields', apply(TINY, deployment({ replicas: 3 }, { image: 'i:2' }), 'fieldManager=two')],
  ['patch what is applied', patch(TINY, MERGE, { spec: { replicas: 5 } })],
  ['apply against a patch', apply(TINY, deployment())],
  ['scale', patch(`${TINY}/scale`, MERGE, { spec: { replicas: 6 } }, 'fieldManager=scaler')],
  ['apply against a scale', apply(TINY, deployment())],
  ['apply a scale', apply(`${TINY}/scale`, scale(4), 'fieldManager=four')],
  ['apply a scale with force', apply(`${TINY}/scale`, scale(4), 'fieldManager=four&force=true')],
  ['read what came of it', { path: TINY }],
  ['apply with force', apply(TINY, deployment(), 'fieldManager=one&force=true')],
  ['apply less', apply(TINY, deployment({}, { ports: null }))],
  ['apply a status', apply(`${TINY}/status`, { apiVersion: 'apps/v1', kind: 'Deployment', status: { replicas: 1 } })],
  ['forget all managers', patch(TINY, MERGE, { metadata: { managedFields: [{}] } })],
  ['apply to what nobody owns', apply(TINY, deployment({ replicas: 9 }))],
  ['merge lists by their keys', patch(TINY, STRATEGIC, containers({ name: 'side', image: 's:1' }))],
  [
    'put a list in order',
    patch(TINY, STRATEGIC, {
      spec: {
        template: {
          spec: { '$setElementOrder/containers': [{ name: 'main' }, { name: 'side' }], containers: [{ name: 'side', image: 's:2' }] },
        },
      },
    }),
  ],
  ['take an item away', patch(TINY, STRATEGIC, containers({ name: 'side', $patch: 'delete' }))],
  ['retain keys', patch(TINY, STRATEGIC, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })],
  ['an item without its key', patch(TINY, STRATEGIC, containers({ image: 'x' }))],
  ['two containers of a name', patch(TINY, MERGE, containers({ name: 'x', image: 'a' }, { name: 'x', image: 'b' }))],
  ['a wrong label', patch(TINY, MERGE, { metadata: { labels: { 'a b': 'c d' } } })],
  ['a JSON patch that fails', patch(TINY, JSON_PATCH, [{ op: 'test', path: '/spec/replicas', value: 77 }])],
  ['force where it means nothing', patch(TINY, MERGE, {}, 'force=true')],
  ['delete under a false uid', remove(TINY, { preconditions: { uid: 'x' } })],
  ['delete in no known way', remove(TINY, { propagationPolicy: 'Odd' })],
  ['delete, dry', remove(`${TINY}?dryRun=All`)],
  ['delete in the foreground', remove(TINY, { propagationPolicy: 'Foreground' })],
  ['add a finalizer too late', patch(TINY, MERGE, { metadata: { finalizers: ['foregroundDeletion', 'a.b/c'] } })],
  ['delete in the background after all', remove(TINY, { propagationPolicy: 'Background' })],
  ['read what is gone', { path: TINY }],
  ['apply a map', apply(MAP, map({ a: '1', b: '2' }, { finalizers: ['x.y/z'] }))],
  ['apply a map by another', apply(MAP, map({ b: '2', c: '3' }, { finalizers: ['q.r/s'] }), 'fieldManager=two')],
  ['apply less of a map', apply(MAP, map({ a: '1' }))],
  ['apply a bad key', apply(MAP, map({ 'a b': '1' }))],
  ['apply over a newer version', apply(MAP, map({ a: '1' }, { resourceVersion: '1' }))],
  ['delete what is held', remove(MAP)],
  ['let go of it', patch(MAP, MERGE, { metadata: { finalizers: null } })],
];

/** What differs from server to server: times, identities, versions; and the order of keys says nothing. */
const normalize = (value: Json): Json => {
  if (typeof value === 'string') {
    return value.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>').replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>');
  }
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === 'resourceVersion' ? '<version>' : normalize(item ?? null)]),
  );
};

describe('writes on a real API server and on the embedded one', () => {
  let real: KubernetesApi;
  let embedded: EmbeddedKubernetes;

  const askReal = async ({ path, ...question }: Question): Promise<Json> => {
    const { status, text } = await real.request(path, question);
    return [status, normalize(JSON.parse(text))];
  };

  const askEmbedded = async ({ path, method = 'GET', contentType = 'application/json', body }: Question): Promise<Json> => {
    const headers = { authorization: `Bearer ${embedded.token()}`, 'user-agent': 'undici', 'content-type': contentType };
    const request = new Request(`http://kubernetes${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const response = await embedded.handle(request);
    return [response.status, normalize(JSON.parse(await response.text()))];
  };

  beforeAll(async () => {
    real = new KubernetesApi(readMirror().kubeconfig);
    embedded = createEmbeddedKubernetes({ objects: shopObjects(Date.now) });
    const namespace: Question = { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: NAMESPACE } } };
    // Of an earlier run.
    for (const path of [TINY, MAP]) await askReal(remove(path));
    await Promise.all([askReal(namespace), askEmbedded(namespace)]);
  });

  afterAll(async () => {
    await embedded?.close();
    await real?.close();
  });

  it.each(QUESTIONS)('%s', async (_, question) => {
    const expected = await askReal(question);
    expect(await askEmbedded(question)).toEqual(expected);
  });
});
