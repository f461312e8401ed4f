import { describe, expect, it } from 'vitest';
import { at, type Json, objectAt, objectsAt, textAt } from '../json.ts';
import { type Answer, askerOf, openBed, statusOf, TYPE } from '../testing.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/shop/deployments';
const MAP = '/api/v1/namespaces/shop/configmaps/applied';

const open = () => openBed({ controllers: false }).ask;
type Ask = ReturnType<typeof open>;

const apply = (ask: Ask, path: string, body: Json, query = 'fieldManager=one'): Promise<Answer> =>
  ask(`${path}?${query}`, { method: 'PATCH', type: TYPE.apply, body });

const map = (data: { [key: string]: string }, metadata: { [key: string]: Json } = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'applied', ...metadata },
  data,
});

const deployment = (replicas: number, image = 'tiny:1'): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'tiny' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'tiny' } },
    template: { metadata: { labels: { app: 'tiny' } }, spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 80 }] }] } },
  },
});

const managersOf = ({ body }: Answer): string[] =>
  objectsAt(body, 'metadata', 'managedFields').map(({ manager, operation }) => `${manager} ${operation}`);

describe('server-side apply', () => {
  it('creates, and owns what was applied by the keys of the published schema', async () => {
    const made = await apply(open(), `${DEPLOYMENTS}/tiny`, deployment(2));
    expect([made.status, managersOf(made)]).toEqual([201, ['one Apply']]);
    expect(objectAt(objectsAt(made.body, 'metadata', 'managedFields')[0], 'fieldsV1')).toEqual({
      'f:spec': {
        'f:replicas': {},
        'f:selector': {},
        'f:template': {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"main"}': {
                '.': {},
                'f:image': {},
                'f:name': {},
                'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
              },
            },
          },
        },
      },
    });
  });

  it('names every field that others own, and takes them when forced', async () => {
    const ask = open();
    await apply(ask, `${DEPLOYMENTS}/tiny`, deployment(2));
    await ask(`${DEPLOYMENTS}/tiny/scale?fieldManager=scaler`, { method: 'PATCH', type: TYPE.merge, body: { spec: { replicas: 5 } } });
    const one = await apply(ask, `${DEPLOYMENTS}/tiny`, deployment(2));
    expect(statusOf(one)).toEqual({
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
    });
    const several = await apply(ask, `${DEPLOYMENTS}/tiny`, deployment(3, 'tiny:2'), 'fieldManager=two');
    expect(objectsAt(several.body, 'details', 'causes')).toEqual([
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "one"',
        field: '.spec.template.spec.containers[name="main"].image',
      },
      { reason: 'FieldManagerConflict', message: 'conflict with "scaler" with subresource "scale" using apps/v1', field: '.spec.replicas' },
    ]);
    const forced = await apply(ask, `${DEPLOYMENTS}/tiny`, deployment(3, 'tiny:2'), 'fieldManager=two&force=true');
    expect([at(forced.body, 'spec', 'replicas'), managersOf(forced)]).toEqual([3, ['one Apply', 'two Apply']]);
  });

  it('takes away what its manager applies no more, unless another one does', async () => {
    const ask = open();
    await apply(ask, MAP, map({ a: '1', b: '2' }, { finalizers: ['a.b/c'] }));
    await apply(ask, MAP, map({ b: '2', c: '3' }, { finalizers: ['d.e/f'] }), 'fieldManager=two');
    const { body } = await apply(ask, MAP, map({}));
    expect([at(body, 'data'), at(body, 'metadata', 'finalizers')]).toEqual([{ b: '2', c: '3' }, ['d.e/f']]);
  });

  it('changes nothing, not even a time, when there is nothing to change', async () => {
    const bed = openBed({ controllers: false });
    const first = await apply(bed.ask, MAP, map({ a: '1' }));
    bed.pass(60_000);
    expect((await apply(bed.ask, MAP, map({ a: '1' }))).body).toEqual(first.body);
  });

  it('leaves nothing behind when it is dry', async () => {
    const ask = open();
    expect((await apply(ask, MAP, map({ a: '1' }), 'fieldManager=one&dryRun=All')).status).toBe(201);
    expect((await ask(MAP)).status).toBe(404);
  });

  it('wants the right to create for what is not there', async () => {
    const { kubernetes, ask } = openBed({ controllers: false });
    const base = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop';
    const metadata = { name: 'patcher' };
    await ask(`${base}/roles`, {
      method: 'POST',
      body: { metadata, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch'] }] },
    });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'patcher' };
    await ask(`${base}/rolebindings`, { method: 'POST', body: { metadata, roleRef, subjects: [{ kind: 'User', name: 'nobody' }] } });
    const answer = await askerOf(kubernetes)(`${MAP}?fieldManager=x`, {
      method: 'PATCH',
      type: TYPE.apply,
      body: map({ a: '1' }),
      user: 'nobody',
    });
    expect(statusOf(answer)).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(textAt(answer.body, 'message')).toContain('cannot create resource "configmaps"');
  });

  it.each([
    ['a: [', 400, 'error decoding patch: error converting YAML to JSON: yaml: '],
    ['[]', 400, 'error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array'],
    ['', 400, 'invalid object type: /, Kind='],
    [
      '{apiVersion: v1, kind: ConfigMap, metadata: {name: applied}, odd: 1}',
      500,
      'failed to create typed patch object (/applied; /v1, Kind=ConfigMap): .odd: field not declared in schema',
    ],
    ['{apiVersion: v1, kind: ConfigMap, metadata: {name: applied, managedFields: []}}', 400, 'metadata.managedFields must be nil'],
  ])('refuses %j', async (body, code, message) => {
    const answer = await open()(`${MAP}?fieldManager=x`, { method: 'PATCH', type: TYPE.apply, body });
    expect(answer.status).toBe(code);
    expect(textAt(answer.body, 'message')).toContain(message);
  });

  it('warns of keys that stand twice, and refuses them when strict', async () => {
    const ask = open();
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata:\n  a: "1"\n  a: "2"\n';
    const strict = await ask(`${MAP}?fieldManager=x&fieldValidation=Strict`, { method: 'PATCH', type: TYPE.apply, body });
    expect(textAt(strict.body, 'message')).toContain('line 6: key "a" already set in map');
    const loose = await ask(`${MAP}?fieldManager=x`, { method: 'PATCH', type: TYPE.apply, body });
    expect([loose.status, loose.headers.get('warning')]).toEqual([201, '299 - "line 6: key \\"a\\" already set in map"']);
  });
});
