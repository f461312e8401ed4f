import { describe, expect, it } from 'vitest';
import { at, listAt, objectAt, objectsAt, textAt } from './json.ts';
import { openBed } from './testing.ts';

const { ask } = openBed({ controllers: false });
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

const GROUPS = [
  ...['apps', 'batch', 'autoscaling', 'policy', 'networking.k8s.io', 'discovery.k8s.io', 'events.k8s.io', 'rbac.authorization.k8s.io'],
  ...['storage.k8s.io', 'scheduling.k8s.io', 'coordination.k8s.io', 'admissionregistration.k8s.io', 'apiextensions.k8s.io'],
  ...['authorization.k8s.io', 'authentication.k8s.io', 'certificates.k8s.io', 'metrics.k8s.io', 'shop.example.com'],
];

describe('discovery', () => {
  it('tells all groups at once to who accepts the aggregated form', async () => {
    const { body, headers } = await ask('/apis', { accept: AGGREGATED });
    expect(headers.get('content-type')).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
    expect(textAt(body, 'kind')).toBe('APIGroupDiscoveryList');
    const names = objectsAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'));
    expect(names).toEqual(expect.arrayContaining(GROUPS));
    const core = await ask('/api', { accept: AGGREGATED });
    const resources = objectsAt(objectsAt(objectsAt(core.body, 'items')[0], 'versions')[0], 'resources');
    expect(resources.find((resource) => resource['resource'] === 'pods')).toMatchObject({
      responseKind: { group: '', version: '', kind: 'Pod' },
      scope: 'Namespaced',
      singularResource: 'pod',
      shortNames: ['po'],
      categories: ['all'],
    });
  });

  it('tells group by group to others', async () => {
    const groups = await ask('/apis');
    expect(objectsAt(groups.body, 'groups').map((group) => textAt(group, 'name'))).toEqual(expect.arrayContaining(GROUPS));
    const { body } = await ask('/apis/apps/v1');
    const deployments = objectsAt(body, 'resources').find((resource) => resource['name'] === 'deployments');
    expect(deployments).toMatchObject({ singularName: 'deployment', namespaced: true, kind: 'Deployment', shortNames: ['deploy'] });
    expect(objectsAt(body, 'resources').map((resource) => resource['name'])).toContain('deployments/scale');
  });

  it('has no form that was taken away', async () => {
    const { status } = await ask('/apis', { accept: 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList' });
    expect(status).toBe(406);
  });

  it('tells its version and its health to everybody', async () => {
    const version = await ask('/version', { user: 'nobody' });
    expect(textAt(version.body, 'gitVersion')).toMatch(/^v1\.36\.\d+$/);
    for (const path of ['/healthz', '/livez', '/readyz'])
      expect(await ask(path, { user: 'nobody' })).toMatchObject({ status: 200, text: 'ok' });
    expect((await ask('/readyz?verbose')).text).toMatch(/^\[\+\]ping ok\n(.+\n)*readyz check passed\n$/);
  });

  it('lists all paths at the root', async () => {
    const { body } = await ask('/');
    expect(listAt(body, 'paths')).toEqual(expect.arrayContaining(['/api', '/apis/apps/v1', '/openapi/v3', '/version']));
  });
});

describe('OpenAPI', () => {
  it('gives an index whose addresses change with their contents, and a document per group', async () => {
    const { body } = await ask('/openapi/v3');
    const address = textAt(body, 'paths', 'apis/apps/v1', 'serverRelativeURL');
    expect(address).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{128}$/);
    const document = await ask(address);
    expect(textAt(document.body, 'openapi')).toBe('3.0.0');
    const replicas = at(document.body, 'components', 'schemas', 'io.k8s.api.apps.v1.DeploymentSpec', 'properties', 'replicas');
    expect(textAt(replicas, 'description')).toContain('Number of desired pods.');
    expect(Object.keys(objectAt(document.body, 'paths'))).toContain('/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale');
  });

  it('describes custom kinds by their definitions', async () => {
    const { body } = await ask('/openapi/v3/apis/shop.example.com/v1');
    const schema = objectAt(body, 'components', 'schemas', 'com.example.shop.v1.FeatureFlag');
    expect(textAt(schema, 'properties', 'spec', 'properties', 'share', 'description')).not.toBe('');
    expect(at(schema, 'x-kubernetes-group-version-kind')).toEqual([{ group: 'shop.example.com', kind: 'FeatureFlag', version: 'v1' }]);
  });

  it('has the old document of everything too', async () => {
    const { body } = await ask('/openapi/v2');
    expect(textAt(body, 'swagger')).toBe('2.0');
    expect(Object.keys(objectAt(body, 'definitions'))).toEqual(
      expect.arrayContaining(['io.k8s.api.core.v1.Pod', 'com.example.shop.v1.FeatureFlag']),
    );
  });

  it('knows no document of a group that is not there', async () => {
    expect((await ask('/openapi/v3/apis/foo/v1')).status).toBe(404);
  });
});
