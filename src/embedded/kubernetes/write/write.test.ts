import { describe, expect, it } from 'vitest';
import { at, isTrueAt, listAt, numberAt, objectsAt, textAt } from '../json.ts';
import { ACCEPT, type Answer, type Ask, namesOf, openBed, rowsOf, statusOf, TYPE } from '../testing.ts';

const MAPS = '/api/v1/namespaces/shop/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/shop/deployments';

const open = (): Ask => openBed({ controllers: false }).ask;

const create = (ask: Ask, name = 'one'): Promise<Answer> =>
  ask(`${MAPS}?fieldManager=test`, { method: 'POST', body: { metadata: { name, labels: { x: 'y' } }, data: { a: '1', b: '2' } } });

const template = {
  metadata: { labels: { app: 'tiny' } },
  spec: { containers: [{ name: 'main', image: 'tiny:1', resources: { limits: { cpu: '1000m', memory: '1024Mi' } } }] },
};

const createDeployment = (ask: Ask): Promise<Answer> =>
  ask(DEPLOYMENTS, {
    method: 'POST',
    body: { metadata: { name: 'tiny' }, spec: { selector: { matchLabels: { app: 'tiny' } }, template } },
  });

describe('create', () => {
  it('fills in what the server knows, and says who wrote which fields', async () => {
    const { status, body } = await create(open());
    expect(status).toBe(201);
    expect(body).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: {
        name: 'one',
        namespace: 'shop',
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        creationTimestamp: '2026-11-22T12:00:00Z',
        managedFields: [{ manager: 'test', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1' }],
      },
    });
  });

  it('fills in the defaults of the kind', async () => {
    const { body } = await createDeployment(open());
    expect(body).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        replicas: 1,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: {
          spec: {
            restartPolicy: 'Always',
            dnsPolicy: 'ClusterFirst',
            containers: [{ imagePullPolicy: 'IfNotPresent', resources: { limits: { cpu: '1', memory: '1Gi' } } }],
          },
        },
      },
    });
  });

  it('makes a name from generateName', async () => {
    const { body } = await open()(MAPS, { method: 'POST', body: { metadata: { generateName: 'made-' } } });
    expect(textAt(body, 'metadata', 'name')).toMatch(/^made-[a-z0-9]{5}$/);
  });

  it.each([
    ['a name twice', MAPS, { metadata: { name: 'web-config' } }, 409, 'AlreadyExists', 'configmaps "web-config" already exists'],
    ['no name', MAPS, { metadata: {} }, 422, 'Invalid', ' "" is invalid: metadata.name: Required value: name or generateName is required'],
    [
      'another namespace',
      MAPS,
      { metadata: { name: 'x', namespace: 'data' } },
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'another kind',
      MAPS,
      { kind: 'Pod', apiVersion: 'v1' },
      400,
      'BadRequest',
      'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion',
    ],
    [
      'a namespace that is not there',
      '/api/v1/namespaces/nope/configmaps',
      { metadata: { name: 'x' } },
      404,
      'NotFound',
      'namespaces "nope" not found',
    ],
  ])('refuses %s', async (_, path, body, code, reason, message) => {
    const answer = await open()(path, { method: 'POST', body });
    expect(statusOf(answer)).toMatchObject({ code, reason });
    expect(textAt(answer.body, 'message')).toContain(message.trim());
  });

  it('checks the fields: names, numbers, what must be there', async () => {
    const ask = open();
    const name = await ask(MAPS, { method: 'POST', body: { metadata: { name: 'A_B' } } });
    expect(textAt(name.body, 'message')).toContain('ConfigMap "A_B" is invalid: metadata.name: Invalid value: "A_B"');
    const spec = { selector: { matchLabels: { app: 'other' } }, template };
    const labels = await ask(DEPLOYMENTS, { method: 'POST', body: { metadata: { name: 'tiny' }, spec } });
    expect(textAt(labels.body, 'message')).toBe(
      'Deployment.apps "tiny" is invalid: spec.template.metadata.labels: Invalid value: {"app":"tiny"}: `selector` does not match template `labels`',
    );
  });

  it('changes nothing in a dry run', async () => {
    const ask = open();
    expect((await ask(`${MAPS}?dryRun=All`, { method: 'POST', body: { metadata: { name: 'one' } } })).status).toBe(201);
    expect((await ask(`${MAPS}/one`)).status).toBe(404);
  });

  it('takes YAML', async () => {
    const answer = await open()(MAPS, { method: 'POST', type: 'application/yaml', body: 'metadata: {name: one}\ndata: {a: "1"}\n' });
    expect([answer.status, at(answer.body, 'data')]).toEqual([201, { a: '1' }]);
  });

  it.each([
    ['k8s', 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (6b3873)'],
    ['k8s\0', 'empty body (6b387300)'],
    ['k8s\0\xff\xff', 'unexpected EOF (6b387300c3bfc3bf)'],
  ])('refuses what is no protobuf, though it says so', async (body, why) => {
    const answer = await open()(MAPS, { method: 'POST', type: 'application/vnd.kubernetes.protobuf', body });
    expect(statusOf(answer)).toEqual({
      code: 400,
      reason: 'BadRequest',
      message: `the object provided is unrecognized (must be of type ConfigMap): ${why}`,
    });
  });
});

describe('update', () => {
  it('replaces, and counts the generation when the spec changes', async () => {
    const ask = open();
    const { body } = await createDeployment(ask);
    const spec = { replicas: 3, selector: { matchLabels: { app: 'tiny' } }, template };
    const changed = await ask(`${DEPLOYMENTS}/tiny`, { method: 'PUT', body: { metadata: { name: 'tiny' }, spec } });
    expect([numberAt(changed.body, 'metadata', 'generation'), numberAt(changed.body, 'spec', 'replicas')]).toEqual([2, 3]);
    expect(textAt(changed.body, 'metadata', 'uid')).toBe(textAt(body, 'metadata', 'uid'));
    const again = await ask(`${DEPLOYMENTS}/tiny`, { method: 'PUT', body: { metadata: { name: 'tiny' }, spec } });
    expect(textAt(again.body, 'metadata', 'resourceVersion')).toBe(textAt(changed.body, 'metadata', 'resourceVersion'));
  });

  it('refuses an older revision with 409', async () => {
    const ask = open();
    const { body } = await create(ask);
    const resourceVersion = textAt(body, 'metadata', 'resourceVersion');
    const put = (): Promise<Answer> => ask(`${MAPS}/one`, { method: 'PUT', body: { metadata: { name: 'one', resourceVersion } } });
    expect((await put()).status).toBe(200);
    expect(statusOf(await put())).toEqual({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  it('keeps the status out of the object, and the spec out of the status', async () => {
    const ask = open();
    await createDeployment(ask);
    const whole = await ask(`${DEPLOYMENTS}/tiny`, { method: 'PATCH', type: TYPE.merge, body: { status: { replicas: 7 } } });
    expect(at(whole.body, 'status', 'replicas')).toBeUndefined();
    const status = await ask(`${DEPLOYMENTS}/tiny/status`, {
      method: 'PATCH',
      type: TYPE.merge,
      body: { status: { replicas: 1 }, spec: { replicas: 9 } },
    });
    expect([numberAt(status.body, 'status', 'replicas'), numberAt(status.body, 'spec', 'replicas')]).toEqual([1, 1]);
  });

  it('refuses to change what cannot be changed', async () => {
    const ask = open();
    await createDeployment(ask);
    const answer = await ask(`${DEPLOYMENTS}/tiny`, {
      method: 'PATCH',
      type: TYPE.merge,
      body: { spec: { selector: { matchLabels: { app: 'other' } } } },
    });
    expect(statusOf(answer)).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(textAt(answer.body, 'message')).toContain('field is immutable');
  });
});

describe('patch', () => {
  it('merges, and takes away what is null', async () => {
    const ask = open();
    await create(ask);
    const { body } = await ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { data: { a: null, c: '3' } } });
    expect(at(body, 'data')).toEqual({ b: '2', c: '3' });
  });

  it('runs the operations of a JSON patch, all or none', async () => {
    const ask = open();
    await create(ask);
    const patch = (body: { op: string; path: string; value?: string; from?: string }[]): Promise<Answer> =>
      ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.json, body });
    const done = await patch([
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'move', from: '/data/a', path: '/data/z' },
      { op: 'add', path: '/metadata/labels/q~1r', value: 's' },
    ]);
    expect([at(done.body, 'data'), at(done.body, 'metadata', 'labels')]).toEqual([
      { b: '2', z: '1' },
      { 'q/r': 's', x: 'y' },
    ]);
    const failed = await patch([
      { op: 'replace', path: '/data/b', value: '9' },
      { op: 'test', path: '/data/z', value: 'other' },
    ]);
    expect(statusOf(failed)).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(at((await ask(`${MAPS}/one`)).body, 'data', 'b')).toBe('2');
  });

  it('merges lists by their keys when it is strategic', async () => {
    const ask = open();
    await createDeployment(ask);
    const patch = (containers: { [key: string]: string }[]): Promise<Answer> =>
      ask(`${DEPLOYMENTS}/tiny`, { method: 'PATCH', type: TYPE.strategic, body: { spec: { template: { spec: { containers } } } } });
    const images = ({ body }: Answer): string[] =>
      objectsAt(body, 'spec', 'template', 'spec', 'containers').map((container) => `${container['name']}=${container['image']}`);
    expect(images(await patch([{ name: 'side', image: 'side:1' }]))).toEqual(['side=side:1', 'main=tiny:1']);
    expect(images(await patch([{ name: 'main', image: 'tiny:2' }]))).toEqual(['side=side:1', 'main=tiny:2']);
    expect(images(await patch([{ name: 'side', $patch: 'delete' }]))).toEqual(['main=tiny:2']);
    expect(statusOf(await patch([{ image: 'x' }])).message).toContain('does not contain declared merge key: name');
  });

  it('warns of unknown fields, refuses them when told to be strict', async () => {
    const ask = open();
    await create(ask);
    const loose = await ask(`${MAPS}/one?fieldValidation=Warn`, { method: 'PATCH', type: TYPE.merge, body: { foo: 1 } });
    expect([loose.status, loose.headers.get('warning')]).toEqual([200, '299 - "unknown field \\"foo\\""']);
    const strict = await ask(`${MAPS}/one?fieldValidation=Strict`, { method: 'PATCH', type: TYPE.merge, body: { foo: 1 } });
    expect(statusOf(strict)).toMatchObject({ code: 422, reason: 'Invalid' });
  });

  it('refuses a wrong type of a field', async () => {
    const ask = open();
    await create(ask);
    const answer = await ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { data: { bad: 5 } } });
    expect(answer.status).toBe(422);
    expect(statusOf(answer).message).toContain('cannot unmarshal number into Go struct field ConfigMap.data.bad of type string');
  });
});

describe('scale', () => {
  it('is read and written without the rest of the object', async () => {
    const ask = open();
    await createDeployment(ask);
    const { body } = await ask(`${DEPLOYMENTS}/tiny/scale`);
    expect(body).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 1 }, status: { selector: 'app=tiny' } });
    const scaled = await ask(`${DEPLOYMENTS}/tiny/scale`, { method: 'PATCH', type: TYPE.merge, body: { spec: { replicas: 4 } } });
    expect(numberAt(scaled.body, 'spec', 'replicas')).toBe(4);
    expect(numberAt((await ask(`${DEPLOYMENTS}/tiny`)).body, 'spec', 'replicas')).toBe(4);
    const wrong = await ask(`${DEPLOYMENTS}/tiny/scale`, { method: 'PATCH', type: TYPE.merge, body: { spec: { replicas: -4 } } });
    expect(statusOf(wrong)).toMatchObject({ code: 422, reason: 'Invalid' });
  });
});

describe('delete', () => {
  it('answers a Status with what was deleted, then knows it no more', async () => {
    const ask = open();
    const { body } = await create(ask);
    const deleted = await ask(`${MAPS}/one`, { method: 'DELETE' });
    expect(deleted.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'one', kind: 'configmaps', uid: textAt(body, 'metadata', 'uid') },
    });
    expect((await ask(`${MAPS}/one`, { method: 'DELETE' })).status).toBe(404);
  });

  it('is refused when the object is another one than was meant', async () => {
    const ask = open();
    await create(ask);
    const answer = await ask(`${MAPS}/one`, { method: 'DELETE', body: { preconditions: { uid: 'other' } } });
    expect(statusOf(answer)).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(statusOf(answer).message).toContain('the UID in the precondition (other) does not match the UID in record');
  });

  it('waits for finalizers', async () => {
    const ask = open();
    await create(ask);
    await ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { metadata: { finalizers: ['example.com/hold'] } } });
    const held = await ask(`${MAPS}/one`, { method: 'DELETE' });
    expect(textAt(held.body, 'metadata', 'deletionTimestamp')).toBe('2026-11-22T12:00:00Z');
    expect((await ask(`${MAPS}/one`)).status).toBe(200);
    await ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { metadata: { finalizers: null } } });
    expect((await ask(`${MAPS}/one`)).status).toBe(404);
  });

  it('takes a whole collection, by selector', async () => {
    const ask = open();
    await create(ask, 'one');
    await create(ask, 'two');
    const { body } = await ask(`${MAPS}?labelSelector=x%3Dy`, { method: 'DELETE' });
    expect(objectsAt(body, 'items')).toHaveLength(2);
    expect(namesOf(await ask(`${MAPS}?labelSelector=x%3Dy`))).toEqual([]);
    expect(namesOf(await ask(MAPS)).length).toBeGreaterThan(0);
  });

  it('gives pods their grace', async () => {
    const ask = open();
    const { body } = await ask('/api/v1/namespaces/data/pods/redis-0', { method: 'DELETE' });
    expect(numberAt(body, 'metadata', 'deletionGracePeriodSeconds')).toBe(30);
    expect((await ask('/api/v1/namespaces/data/pods/redis-0')).status).toBe(200);
    await ask('/api/v1/namespaces/data/pods/redis-0?gracePeriodSeconds=0', { method: 'DELETE' });
    expect((await ask('/api/v1/namespaces/data/pods/redis-0')).status).toBe(404);
  });
});

describe('eviction', () => {
  it('is refused while a budget allows no disruption', async () => {
    const bed = openBed();
    const pods = await bed.ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dpayment', { accept: ACCEPT.table });
    const name = rowsOf(pods).find((row) => row[1] === '2/2')?.[0] ?? '';
    const evict = await bed.ask(`/api/v1/namespaces/shop/pods/${name}/eviction`, {
      method: 'POST',
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'shop' } },
    });
    expect(statusOf(evict)).toEqual({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
    });
    expect(listAt(evict.body, 'details', 'causes')).toHaveLength(1);
  });
});

describe('custom kinds', () => {
  const FLAGS = '/apis/shop.example.com/v1/namespaces/shop/featureflags';
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'coupons.shop.example.com' },
    spec: {
      group: 'shop.example.com',
      scope: 'Namespaced',
      names: { plural: 'coupons', singular: 'coupon', kind: 'Coupon', shortNames: ['cpn'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: { type: 'object', required: ['code'], properties: { code: { type: 'string' }, percent: { type: 'integer' } } },
              },
            },
          },
          additionalPrinterColumns: [{ name: 'Percent', type: 'integer', jsonPath: '.spec.percent' }],
        },
      ],
    },
  };

  it('are served as soon as they are defined, and no longer than that', async () => {
    const { ask } = openBed();
    const coupons = '/apis/shop.example.com/v1/namespaces/shop/coupons';
    expect((await ask(coupons)).status).toBe(404);
    const made = await ask('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { method: 'POST', body: definition });
    expect(made.status).toBe(201);
    const coupon = {
      apiVersion: 'shop.example.com/v1',
      kind: 'Coupon',
      metadata: { name: 'ten' },
      spec: { code: 'TEN', percent: 10, odd: 1 },
    };
    const { status, body } = await ask(coupons, { method: 'POST', body: coupon });
    expect([status, at(body, 'spec')]).toEqual([201, { code: 'TEN', percent: 10 }]);
    const table = await ask(coupons, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    expect(objectsAt(table.body, 'rows').map((row) => listAt(row, 'cells'))).toEqual([['ten', 10]]);
    const { body: resources } = await ask('/apis/shop.example.com/v1');
    expect(objectsAt(resources, 'resources').map((resource) => resource['name'])).toContain('coupons');
    await ask('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/coupons.shop.example.com', { method: 'DELETE' });
    expect((await ask(coupons)).status).toBe(404);
  });

  it('are checked by their schema', async () => {
    const answer = await open()(FLAGS, {
      method: 'POST',
      body: { apiVersion: 'shop.example.com/v1', kind: 'FeatureFlag', metadata: { name: 'x' }, spec: { service: 5, share: 200 } },
    });
    expect(statusOf(answer)).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(textAt(answer.body, 'message')).toContain(
      'spec.service: Invalid value: "integer": spec.service in body must be of type string: "integer"',
    );
  });

  it('take no strategic merge', async () => {
    const answer = await open()(`${FLAGS}/gift-cards`, { method: 'PATCH', type: TYPE.strategic, body: { spec: {} } });
    expect(statusOf(answer)).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' });
  });

  it('have a status of their own', async () => {
    const ask = open();
    const patched = await ask(`${FLAGS}/gift-cards/status`, {
      method: 'PATCH',
      type: TYPE.merge,
      body: { status: { observedAt: '2026-02-01T00:00:00Z' }, spec: { enabled: false } },
    });
    expect(textAt(patched.body, 'status', 'observedAt')).toBe('2026-02-01T00:00:00Z');
    const before = await open()(`${FLAGS}/gift-cards`);
    expect(isTrueAt(patched.body, 'spec', 'enabled')).toBe(isTrueAt(before.body, 'spec', 'enabled'));
  });
});

describe('what is left for later', () => {
  it('is said, not pretended', async () => {
    const ask = open();
    const exec = await ask('/api/v1/namespaces/data/pods/kafka-0/exec?command=ls&container=kafka&stdout=true', {
      method: 'POST',
      body: {},
    });
    expect(statusOf(exec)).toMatchObject({ code: 400, message: 'Upgrade request required' });
    const token = await ask('/api/v1/namespaces/shop/serviceaccounts/default/token', { method: 'POST', body: {} });
    expect(token.status).toBeGreaterThanOrEqual(400);
  });
});
