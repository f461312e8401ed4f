import { describe, expect, it } from 'vitest';
import { at, isTrueAt, type Json, listAt, objectAt, parseJson, textAt } from './json.ts';
import { openBed, statusOf, TYPE } from './testing.ts';

const REVIEWS = '/apis/authorization.k8s.io/v1';
const { ask, kubernetes } = openBed({ controllers: false });

describe('who may do what', () => {
  it.each([
    ['viewer', 'GET', '/api/v1/namespaces/shop/pods', 200],
    ['viewer', 'GET', '/apis/shop.example.com/v1/featureflags', 200],
    ['viewer', 'GET', '/api/v1/nodes', 200],
    ['viewer', 'GET', '/api/v1/namespaces/shop/secrets', 403],
    ['viewer', 'DELETE', '/api/v1/namespaces/shop/configmaps/web-config?dryRun=All', 403],
    ['operator', 'DELETE', '/api/v1/namespaces/shop/configmaps/web-config?dryRun=All', 200],
    ['operator', 'DELETE', '/api/v1/namespaces/data/configmaps/kafka-config?dryRun=All', 403],
    ['nobody', 'GET', '/api/v1/namespaces/shop/pods', 403],
    ['nobody', 'GET', '/version', 200],
    ['admin', 'GET', '/api/v1/secrets', 200],
  ] as const)('%s: %s %s -> %i', async (user, method, path, status) => {
    expect((await ask(path, { user, method })).status).toBe(status);
  });

  it('refuses in the words of the server', async () => {
    expect((await ask('/api/v1/namespaces/shop/secrets/x', { user: 'viewer' })).body).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'secrets "x" is forbidden: User "viewer" cannot get resource "secrets" in API group "" in the namespace "shop"',
      reason: 'Forbidden',
      details: { name: 'x', kind: 'secrets' },
      code: 403,
    });
    expect(statusOf(await ask('/metrics', { user: 'nobody' })).message).toBe('forbidden: User "nobody" cannot get path "/metrics"');
    expect(statusOf(await ask('/apis/apps/v1/deployments', { user: 'nobody' })).message).toBe(
      'deployments.apps is forbidden: User "nobody" cannot list resource "deployments" in API group "apps" at the cluster scope',
    );
  });

  it('knows no wrong token, and calls who has none anonymous', async () => {
    const wrong = await ask('/api/v1/pods', { headers: { authorization: 'Bearer wrong' } });
    expect(statusOf(wrong)).toEqual({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });
    const none = await kubernetes.handle(new Request('http://kubernetes/api/v1/pods'));
    expect([none.status, textAt(parseJson(await none.text()), 'message')]).toEqual([
      403,
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope',
    ]);
  });

  it('follows roles and bindings that are made at run time', async () => {
    const bed = openBed({ controllers: false });
    const secrets = (): Promise<number> => bed.ask('/api/v1/namespaces/shop/secrets', { user: 'nobody' }).then(({ status }) => status);
    expect(await secrets()).toBe(403);
    const space = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop';
    await bed.ask(`${space}/roles`, {
      method: 'POST',
      body: { metadata: { name: 'reader' }, rules: [{ verbs: ['list'], apiGroups: [''], resources: ['secrets'] }] },
    });
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' };
    await bed.ask(`${space}/rolebindings`, { method: 'POST', body: { metadata: { name: 'reader' }, subjects, roleRef } });
    expect(await secrets()).toBe(200);
    await bed.ask(`${space}/rolebindings/reader`, { method: 'DELETE' });
    expect(await secrets()).toBe(403);
  });

  it('speaks for another user when allowed to', async () => {
    const as = { 'impersonate-user': 'bob' };
    expect((await ask('/api/v1/namespaces/shop/secrets', { headers: as })).status).toBe(200);
    expect(statusOf(await ask('/api/v1/namespaces/data/secrets', { headers: as })).message).toContain('User "bob" cannot list');
    expect(statusOf(await ask('/api/v1/pods', { user: 'nobody', headers: as }))).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect((await ask('/api/v1/pods', { headers: { 'impersonate-group': 'x' } })).status).toBe(400);
  });
});

describe('reviews', () => {
  const review = async (kind: string, spec: Json, user: 'admin' | 'viewer' | 'operator' = 'admin'): Promise<Json> => {
    const { status, body } = await ask(`${REVIEWS}/${kind}`, { method: 'POST', user, body: { spec } });
    expect(status).toBe(201);
    return objectAt(body, 'status');
  };

  it('tell whether I may', async () => {
    const secrets = { resourceAttributes: { verb: 'get', resource: 'secrets', namespace: 'shop' } };
    expect(await review('selfsubjectaccessreviews', secrets, 'viewer')).toEqual({ allowed: false });
    expect(await review('selfsubjectaccessreviews', secrets, 'operator')).toMatchObject({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "demo-operators/shop" of ClusterRole "edit" to Group "demo:operators"',
    });
  });

  it('tell whether somebody else may', async () => {
    const resourceAttributes = { verb: 'delete', group: 'apps', resource: 'deployments', namespace: 'shop' };
    expect(isTrueAt(await review('subjectaccessreviews', { user: 'bob', resourceAttributes }), 'allowed')).toBe(true);
    expect(isTrueAt(await review('subjectaccessreviews', { user: 'eve', resourceAttributes }), 'allowed')).toBe(false);
  });

  it('refuse a question without a subject or with two', async () => {
    const nothing = await ask(`${REVIEWS}/selfsubjectaccessreviews`, { method: 'POST', body: { spec: {} } });
    expect(statusOf(nothing)).toMatchObject({ code: 422, reason: 'Invalid' });
  });

  it('list my rules, and say who I am', async () => {
    const status = await review('selfsubjectrulesreviews', { namespace: 'shop' }, 'viewer');
    expect(listAt(status, 'resourceRules').length).toBeGreaterThan(5);
    const me = await ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', { method: 'POST', user: 'viewer', body: {} });
    expect(at(me.body, 'status', 'userInfo')).toEqual({ username: 'viewer', groups: ['demo:viewers', 'system:authenticated'] });
  });
});

describe('the journal', () => {
  it('keeps who asked what, and shows that nothing was written', async () => {
    const bed = openBed({ controllers: false });
    const revision = bed.kubernetes.store.revision;
    await bed.ask('/api/v1/namespaces/shop/pods?limit=1', { user: 'viewer' });
    await bed.ask('/api/v1/namespaces/shop/pods/x', { user: 'viewer', method: 'PATCH', type: TYPE.merge, body: {} });
    await bed.ask('/api', { headers: { authorization: 'Bearer wrong' } });
    expect(bed.kubernetes.requests).toEqual([
      { method: 'GET', path: '/api/v1/namespaces/shop/pods?limit=1', user: 'viewer' },
      { method: 'PATCH', path: '/api/v1/namespaces/shop/pods/x', user: 'viewer' },
      { method: 'GET', path: '/api', user: '' },
    ]);
    expect(bed.kubernetes.store.revision).toBe(revision);
  });
});
